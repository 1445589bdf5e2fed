//! What was typed into a shell, and on which host: its prompt, `ssh`, and commands that ask several hosts at once.

use super::origin::names_a_host;
use crate::prefix;
use crate::text::has;

/// What was typed behind a prompt; all of the line where there is none.
pub fn behind_prompt(line: &str) -> &str {
    let ends = ["# ", "$ ", "% ", "> ", "] "].iter().filter_map(|end| Some(line.find(end)? + end.len()));
    let Some(end) = ends.min() else { return line };
    let prompt = line[..end].trim_end();
    let is_prompt = prompt.len() <= 1
        || prompt.contains('@')
        || !prompt.contains(' ')
        || names_a_host(prompt[..prompt.len() - 1].trim_end());
    if is_prompt { line[end..].trim_start_matches(['#', '$', '>', ' ']) } else { line }
}

/// The hosts that a command line goes to by ssh, in their order.
fn hosts_of_ssh(command: &str) -> impl Iterator<Item = &str> {
    let words =
        command.split([' ', ';', '&', '|', '(', ')', '{', '`', '\'', '"']).filter(|word| !word.is_empty());
    let mut after_ssh = false;
    let mut takes_value = false;
    words.filter_map(move |word| {
        if word == "ssh" || word.ends_with("/ssh") {
            after_ssh = true;
            return None;
        }
        // `-p 22`, `-i key`: the next word is no host.
        if !after_ssh || std::mem::take(&mut takes_value) {
            return None;
        }
        if word.starts_with('-') {
            takes_value = word.len() == 2
                && word.ends_with([
                    'p', 'i', 'l', 'o', 'F', 'J', 'L', 'R', 'c', 'm', 'b', 'D', 'E', 'e', 'S', 'W',
                ]);
            return None;
        }
        after_ssh = false;
        Some(word.rsplit('@').next().unwrap_or(word))
    })
}

/// `ssh esx1 ... ; ssh esx2 ...`, `for host in ...; do ssh $host ...`, `pssh -h hosts ...`: several hosts answer to one command, and no line parts what they say.
pub(super) fn asks_several(command: &str) -> bool {
    const TOOLS: [&str; 9] =
        ["pssh", "parallel-ssh", "pdsh", "clush", "dsh", "mussh", "ansible", "salt", "parallel"];
    const BEGINS: [&str; 7] = ["ssh", "sshpass", "for", "while", "cat", "echo", "xargs"];
    let first = command.split(' ').next().unwrap_or("");
    if TOOLS.contains(&first) {
        return command.len() > first.len();
    }
    if !BEGINS.contains(&first) {
        return false;
    }
    let mut hosts = hosts_of_ssh(command);
    let Some(one) = hosts.next() else { return false };
    one.contains(['$', '%'])
        || has(command, "xargs")
        || has(command, "parallel")
        || hosts.any(|other| other != one)
}

/// `ssh esx1 tail ...`
pub(super) fn host_of_command(command: &str) -> Option<&str> {
    let first = command.split(' ').next()?;
    let host = hosts_of_ssh(command).next().filter(|_| ["ssh", "sshpass"].contains(&first))?;
    prefix::is_host(host).then_some(host)
}

/// `[root@esx1:~] `, `root@gw-1:~# `, `esx1 # `: where a session goes on.
pub(super) fn host_of_prompt(line: &str) -> Option<&str> {
    if let Some((host, rest)) = line.split_once(' ')
        && ["# ", "$ ", "> "].iter().any(|prompt| rest.starts_with(prompt))
        && names_a_host(host)
    {
        return Some(host);
    }
    let (user, rest) = line.trim_start_matches('[').split_once('@')?;
    let host = &rest[..rest.find([':', ' ', ']'])?];
    let prompts = rest[host.len()..].starts_with([':', ' ', ']']) && rest.contains(['#', '$', ']', '>']);
    let named = user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    (named && !user.is_empty() && prompts && prefix::is_host(host)).then_some(host)
}
