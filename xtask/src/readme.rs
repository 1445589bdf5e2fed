//! The README by hand: types the commands of README.md's sections "By hand" and "Disks" as a reader does, in a folder of its own,
//! and checks how each ends and what it says. So the page and the program cannot part.
//!
//! The sections' shell blocks are run line by line. What a line is to come to stands in [`RULES`]: a line without a rule and a
//! rule without a line are errors, so neither can be forgotten.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::built;

/// Any one wait: far more than a command takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);
/// Between two looks at the same thing.
const TICK: Duration = Duration::from_millis(20);
const SECTIONS: [&str; 2] = ["By hand", "Disks"];
/// What the first section begins with. It is done by this chore, which builds the program and puts it on the PATH.
const SETUP: [&str; 2] = ["cargo build --release", "export PATH=$PWD/target/release:$PATH"];
/// The number of SIGINT, which Ctrl-C sends.
const INTERRUPTED: i32 = 2;

/// What a reader does with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Waits for its end.
    Ends,
    /// The same, and has what it said in a variable from then on: `NAME=$(COMMAND)`.
    Sets,
    /// Leaves it running in a shell of its own once it has said what it is to say; Ctrl-C makes it leave in order.
    Host,
    /// Starts it in a shell of its own beside the next ones of its kind; it ends by itself.
    Job,
    /// Leaves it running in a shell of its own; Ctrl-C ends it.
    Follow,
    /// Kills host `a` first, as the README says, and then waits for its end.
    AfterKillingA,
}

/// What a line begins with, what is done with it, and what it must say on standard output.
struct Rule {
    begins: &'static str,
    kind: Kind,
    says: &'static str,
}

const fn rule(begins: &'static str, kind: Kind, says: &'static str) -> Rule {
    Rule { begins, kind, says }
}

/// Of several that fit a line, the longest holds.
const RULES: [Rule; 28] = [
    rule("oarlock format", Kind::Ends, "datastore store"),
    rule("oarlock up", Kind::Host, "ready"),
    rule("oarlock lock run", Kind::Job, "has it, token "),
    rule("oarlock locks", Kind::Ends, "nightly  exclusive"),
    rule("oarlock status", Kind::Ends, "hosts      2"),
    rule("oarlock hosts", Kind::Ends, "live"),
    rule("oarlock inspect pool.img lock", Kind::Ends, "\"nightly\""),
    rule("oarlock inspect", Kind::Ends, "superblock; sound"),
    rule("oarlock check", Kind::Ends, "clean"),
    rule("oarlock causes", Kind::Ends, "What helps"),
    rule("oarlock bench", Kind::Ends, "commands an operation: 2"),
    rule("oarlock sim", Kind::Ends, " 0 violations"),
    rule("oarlock events --follow", Kind::Follow, "taken over"),
    rule("oarlock evict", Kind::AfterKillingA, "a was fenced, cut off and taken over"),
    rule("oarlock events", Kind::Ends, "taken over"),
    rule("oarlock disk create", Kind::Ends, "all of them zero"),
    rule("URI=$(oarlock disk attach", Kind::Sets, "nbd+unix:///vm/one?socket="),
    rule("qemu-io", Kind::Ends, "wrote 1048576/1048576 bytes"),
    rule("oarlock disk snapshot", Kind::Ends, "vm/one@before keeps what vm/one shows"),
    rule("oarlock disk clone", Kind::Ends, "vm/two shows what vm/one@before shows"),
    rule("oarlock disk show", Kind::Ends, "parent     vm/one@before"),
    rule("oarlock disk attach", Kind::Ends, "nbd+unix:///vm/one?socket="),
    rule("oarlock disk handoff", Kind::Ends, "vm/one is host b's"),
    rule("oarlock disk detach", Kind::Ends, "is not served any more"),
    rule("oarlock disk revert", Kind::Ends, "vm/one shows what vm/one@before shows"),
    rule("oarlock inspect pool.img disk", Kind::Ends, "name: vm/one"),
    rule("oarlock disk export", Kind::Ends, "of which 1.00 MiB are data"),
    rule("oarlock disk import", Kind::Ends, "vm/three has the image: 20.00 GiB, of which 1.00 MiB"),
];

/// Runs them all.
pub fn run(_: &[String]) -> ExitCode {
    match play() {
        Ok(count) => {
            println!("readme: {count} commands of its sections ended as they should");
            ExitCode::SUCCESS
        }
        Err(trouble) => {
            eprintln!("cargo xtask readme: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn play() -> Result<usize, String> {
    let path = built::root().join("README.md");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines = with_rules(commands(&text)?)?;
    let mut reader = Reader::new(built::program()?, built::folder("readme")?);
    for (line, rule) in &lines {
        println!("$ {line}");
        reader.do_line(line, rule).map_err(|trouble| format!("{line}\n{trouble}"))?;
    }
    reader.close()?;
    Ok(lines.len())
}

/// The lines of the sections' shell blocks, without the setup, which must be there.
fn commands(readme: &str) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    for name in SECTIONS {
        lines.extend(commands_of(readme, name)?);
    }
    if !lines.iter().map(String::as_str).take(SETUP.len()).eq(SETUP) {
        return Err(format!("the sections do not begin with `{}`", SETUP.join("`, `")));
    }
    Ok(lines.split_off(SETUP.len()))
}

fn commands_of(readme: &str, name: &str) -> Result<Vec<String>, String> {
    let section = readme.split_once(&format!("\n## {name}\n"));
    let (_, section) = section.ok_or_else(|| format!("README.md has no section \"{name}\""))?;
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let mut lines = Vec::new();
    for (index, block) in section.split("```").enumerate().filter(|(index, _)| index % 2 == 1) {
        let block =
            block.strip_prefix("sh\n").ok_or_else(|| format!("{name}: block {index} is not marked `sh`"))?;
        lines.extend(block.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
    }
    Ok(lines)
}

/// Each line with its rule; every rule must have a line.
fn with_rules(lines: Vec<String>) -> Result<Vec<(String, &'static Rule)>, String> {
    static KNOWN: [Rule; RULES.len()] = RULES;
    let rule_of = |line: String| {
        let fitting = KNOWN.iter().filter(|rule| line.starts_with(rule.begins));
        let longest = fitting.max_by_key(|rule| rule.begins.len());
        longest.map(|rule| (line.clone(), rule)).ok_or_else(|| format!("no rule says what comes of `{line}`"))
    };
    let lines = lines.into_iter().map(rule_of).collect::<Result<Vec<_>, String>>()?;
    let unused = KNOWN.iter().find(|rule| !lines.iter().any(|(_, used)| used.begins == rule.begins));
    unused.map_or(Ok(lines), |rule| Err(format!("the sections have no `{}` any more", rule.begins)))
}

/// The variable that a line sets, and the command whose output it gets.
fn assignment(line: &str) -> Result<(&str, &str), String> {
    let (variable, rest) = line.split_once("=$(").ok_or("it sets no variable")?;
    let (command, _) = rest.rsplit_once(')').ok_or("its bracket does not close")?;
    Ok((variable, command))
}

/// One shell, and what was typed into it.
struct Shell {
    line: String,
    rule: &'static Rule,
    child: Child,
    output: PathBuf,
    complaints: PathBuf,
}

/// The reader, with a shell for each thing that goes on.
struct Reader {
    program: PathBuf,
    folder: PathBuf,
    started: usize,
    variables: Vec<(String, String)>,
    open: Vec<Shell>,
}

impl Reader {
    fn new(program: PathBuf, folder: PathBuf) -> Reader {
        Reader { program, folder, started: 0, variables: Vec::new(), open: Vec::new() }
    }

    fn do_line(&mut self, line: &str, rule: &'static Rule) -> Result<(), String> {
        match rule.kind {
            Kind::Job => {}
            // Whoever looks at the jobs looks while one of them runs.
            Kind::Ends | Kind::Sets => self.until_a_job_says()?,
            Kind::Host | Kind::Follow => self.end_jobs()?,
            Kind::AfterKillingA => {
                self.end_jobs()?;
                self.kill_a()?;
            }
        }
        let (variable, command) = match rule.kind {
            Kind::Sets => assignment(line)?,
            _ => ("", line),
        };
        let mut shell = self.shell(command, rule)?;
        match rule.kind {
            Kind::Ends | Kind::AfterKillingA | Kind::Sets => {
                let ended = shell.ends().and_then(|status| shell.right(status.success(), status));
                shell.kill();
                if !variable.is_empty() {
                    let said = fs::read_to_string(&shell.output).unwrap_or_default();
                    self.variables.push((variable.to_owned(), said.trim_end().to_owned()));
                }
                ended
            }
            Kind::Host => {
                let ready = shell.until(|shell| shell.has_said());
                self.open.push(shell);
                ready
            }
            Kind::Job | Kind::Follow => {
                self.open.push(shell);
                Ok(())
            }
        }
    }

    /// Starts a line. The program's own `guard exec` has it killed should this chore be killed.
    fn shell(&mut self, line: &str, rule: &'static Rule) -> Result<Shell, String> {
        let file = |kind| self.folder.join(format!("{}.{kind}", self.started));
        let (output, complaints) = (file("out"), file("err"));
        self.started += 1;
        let own = self.program.parent().unwrap_or(Path::new("."));
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(own.to_owned()).chain(std::env::split_paths(&inherited));
        let search = std::env::join_paths(folders).map_err(|error| error.to_string())?;
        let create = |path: &Path| File::create(path).map_err(|error| format!("{}: {error}", path.display()));
        let child = Command::new(&self.program)
            .args(["guard", "exec", "--parent", &std::process::id().to_string(), "--"])
            // Whoever runs this in the background of a script hands down an ignored SIGINT; a reader's Ctrl-C is not ignored.
            .args(["env", "--default-signal=INT", "sh", "-c"])
            .arg(format!("exec {line}"))
            .current_dir(&self.folder)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("PATH", search)
            .env("OARLOCK_RUNTIME_DIR", self.folder.join("run"))
            .env_remove("OARLOCK_STATE_DIR")
            .env_remove("OARLOCK_API")
            .stdin(Stdio::null())
            .stdout(create(&output)?)
            .stderr(create(&complaints)?)
            .process_group(0)
            .spawn();
        let child = child.map_err(|error| format!("it cannot be started: {error}"))?;
        Ok(Shell { line: line.to_owned(), rule, child, output, complaints })
    }

    fn of_kind(&mut self, kind: Kind) -> impl Iterator<Item = &mut Shell> {
        self.open.iter_mut().filter(move |shell| shell.rule.kind == kind)
    }

    fn until_a_job_says(&mut self) -> Result<(), String> {
        let until = Instant::now() + LIMIT;
        while self.of_kind(Kind::Job).count() > 0 && !self.of_kind(Kind::Job).any(|job| job.has_said()) {
            if Instant::now() > until {
                return Err("none of the jobs before it got the lock".to_owned());
            }
            std::thread::sleep(TICK);
        }
        Ok(())
    }

    fn end_jobs(&mut self) -> Result<(), String> {
        for job in self.of_kind(Kind::Job) {
            let status = job.ends()?;
            job.right(status.success(), status).map_err(|trouble| format!("{}\n{trouble}", job.line))?;
        }
        self.open.retain(|shell| shell.rule.kind != Kind::Job);
        Ok(())
    }

    fn kill_a(&mut self) -> Result<(), String> {
        let is_a = |shell: &Shell| shell.rule.kind == Kind::Host && shell.line.ends_with("--host a");
        let index = self.open.iter().position(is_a).ok_or("host a does not run")?;
        self.open.remove(index).kill();
        Ok(())
    }

    /// Ctrl-C in every shell, the newest first; then the folder goes.
    fn close(mut self) -> Result<(), String> {
        self.end_jobs()?;
        while let Some(mut shell) = self.open.pop() {
            let ended = shell.until(|shell| shell.has_said()).and_then(|()| {
                shell.signal("INT");
                let status = shell.ends()?;
                let interrupted = shell.rule.kind == Kind::Follow && status.signal() == Some(INTERRUPTED);
                shell.right(status.success() || interrupted, status)
            });
            shell.kill();
            ended.map_err(|trouble| format!("{}\n{trouble}", shell.line))?;
        }
        fs::remove_dir_all(&self.folder).map_err(|error| format!("{}: {error}", self.folder.display()))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        for shell in &mut self.open {
            shell.kill();
        }
        // What the commands wrote was told with the trouble.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Shell {
    fn has_said(&mut self) -> bool {
        fs::read_to_string(&self.output).is_ok_and(|text| text.contains(self.rule.says))
    }

    /// Waits until `holds`, while it runs.
    fn until(&mut self, holds: impl Fn(&mut Shell) -> bool) -> Result<(), String> {
        let until = Instant::now() + LIMIT;
        while !holds(self) {
            let status = self.child.try_wait().map_err(|error| error.to_string())?;
            if status.is_some() || Instant::now() > until {
                let ended = status.map_or("it runs".to_owned(), |status| format!("it ended: {status}"));
                return Err(format!("it did not say `{}`; {ended}\n{}", self.rule.says, self.told()));
            }
            std::thread::sleep(TICK);
        }
        Ok(())
    }

    fn ends(&mut self) -> Result<ExitStatus, String> {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().map_err(|error| error.to_string())? {
                return Ok(status);
            }
            if Instant::now() > until {
                return Err(format!("it did not end within {} s\n{}", LIMIT.as_secs(), self.told()));
            }
            std::thread::sleep(TICK);
        }
    }

    /// It ended well, and said what it is to say.
    fn right(&mut self, ended_well: bool, status: ExitStatus) -> Result<(), String> {
        if ended_well && self.has_said() {
            return Ok(());
        }
        Err(format!("it ended with {status}; it is to say `{}`\n{}", self.rule.says, self.told()))
    }

    fn told(&self) -> String {
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        format!("{}{}", read(&self.output), read(&self.complaints))
    }

    /// To its whole process group, as a terminal does.
    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-s", signal, "--", &group]).stderr(Stdio::null()).status();
    }

    /// Not reaped yet, the group's number is still its own.
    fn kill(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal("KILL");
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readme(blocks: &str) -> String {
        format!(
            "# X\n\n## By hand\n\n```sh\n{}\n```\n{blocks}\n## Next\n\n```sh\nnot run\n```\n\n## Disks\n\n```sh\nd\n```\n",
            SETUP.join("\n")
        )
    }

    #[test]
    fn every_line_of_the_section_s_blocks_is_a_command_and_nothing_else_is() {
        let text = readme("Text.\n\n```sh\na  # why\n\nb\n```\n\n```sh\nc\n```\n");
        assert_eq!(commands(&text).unwrap(), ["a  # why", "b", "c", "d"]);
        assert!(commands(&readme("```\nunmarked\n```\n")).is_err());
        assert!(commands("# X\n").is_err());
        assert!(commands(&readme("").replace("--release", "")).is_err(), "the setup is this chore's");
    }

    #[test]
    fn a_line_that_sets_a_variable_is_a_name_and_a_command() {
        assert_eq!(assignment("URI=$(a b --c \"(d)\")   # why"), Ok(("URI", "a b --c \"(d)\"")));
        assert!(assignment("a b").is_err() && assignment("URI=$(a b").is_err());
    }

    #[test]
    fn a_line_without_a_rule_and_a_rule_without_a_line_are_refused() {
        let all = || RULES.iter().map(|rule| rule.begins.to_owned()).collect::<Vec<_>>();
        let lines = with_rules(all()).unwrap();
        assert!(lines.iter().all(|(line, rule)| rule.begins == line), "the longest rule holds");
        assert!(with_rules([all(), vec!["rm -r /".to_owned()]].concat()).is_err());
        assert!(with_rules(all().split_off(1)).is_err());
    }
}
