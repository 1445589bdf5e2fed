"""A guest's live migration by two QEMUs while its disk goes from host to host: migration.py OARLOCK QEMU [QEMU-ARGUMENT...].

OARLOCK and QEMU are programs (QEMU: qemu-system-x86_64, 4.0 or newer). Works in a folder of its own, and takes it away. Two hosts on one
file; the first QEMU writes by its monitor, the guest is migrated with `pause-before-switchover`, the disk handed over in between, and the second
QEMU reads what the first one wrote and writes on. Then the way back that docs/OPERATING.md gives for a migration that failed: the disk goes back,
and the first QEMU, which was never told, finds it at the same place. Prints how long each part took.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

oarlock, qemu, more = sys.argv[1], sys.argv[2], sys.argv[3:]
work = tempfile.mkdtemp(prefix="oarlock-migration.", dir=os.environ.get("FOLDER", "."))
work = os.path.abspath(work)
environment = dict(os.environ, OARLOCK_RUNTIME_DIR=os.path.join(work, "run"))
started = []


def run(*arguments):
    done = subprocess.run([oarlock, *arguments], env=environment, cwd=work, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout.strip()


def host(name):
    child = subprocess.Popen([oarlock, "up", "pool", "--host", name], env=environment, cwd=work, stdout=subprocess.PIPE, text=True)
    started.append(child)
    assert child.stdout.readline() == "ready\n", name


class Qemu:
    """One QEMU with the disk of one host, and its monitor."""

    def __init__(self, name, door, *arguments):
        monitor = os.path.join(work, name + ".qmp")
        disk = f"driver=nbd,node-name=disk,server.type=unix,server.path={door},export=disk,reconnect-delay=30"
        # With a geometry it reads nothing of the disk before it runs.
        # The monitor writes beside the device.
        device = "virtio-blk-pci,drive=disk,share-rw=on,cyls=1024,heads=16,secs=63"
        self.child = subprocess.Popen(
            [qemu, *more, "-machine", "q35,accel=tcg", "-m", "128", "-nodefaults", "-display", "none", "-blockdev", disk,
             "-device", device, "-qmp", f"unix:{monitor},server=on,wait=off", *arguments], cwd=work, stdout=subprocess.PIPE, text=True)
        started.append(self.child)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        for _ in range(400):
            try:
                self.socket.connect(monitor)
                break
            except OSError:
                time.sleep(0.05)
        self.lines = self.socket.makefile("r")
        self.lines.readline()
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            answer = json.loads(self.lines.readline())
            assert "error" not in answer, (command, answer)
            if "return" in answer:
                return answer["return"]

    def io(self, line):
        refused = self.ask("human-monitor-command", **{"command-line": f'qemu-io disk "{line}"'})
        assert not refused, (line, refused)
        if line == "flush":
            return
        # What came of it is said on QEMU's standard output: two lines, or one more before them where the pattern is another.
        said = self.child.stdout.readline() + self.child.stdout.readline()
        assert "failed" not in said.lower() and "error" not in said.lower() and "ops" in said, (line, said)

    def until(self, status):
        for _ in range(1200):
            found = self.ask("query-migrate").get("status")
            if found == status:
                return
            assert found != "failed", self.ask("query-migrate")
            time.sleep(0.02)
        raise TimeoutError(status)


def migrate():
    run("format", "pool", "--name", "store", "--size", "512M", "--slots", "8")
    host("a")
    host("b")
    run("disk", "create", "disk", "--size", "128M", "--host", "a")
    run("disk", "attach", "disk", "--host", "a")
    door = {name: os.path.join(work, "run", "store", name + ".nbd") for name in "ab"}
    first = Qemu("first", door["a"])
    for megabyte in range(16):
        first.io(f"write -P {megabyte + 1} {megabyte}M 1M")
    run("disk", "attach", "disk", "--incoming", "--host", "b")
    began = time.monotonic()
    second = Qemu("second", door["b"], "-incoming", "defer")
    print(f"the second QEMU stands by after {time.monotonic() - began:.2f} s")
    channel = "unix:" + os.path.join(work, "migration")
    second.ask("migrate-incoming", uri=channel)
    first.ask("migrate-set-capabilities", capabilities=[{"capability": "pause-before-switchover", "state": True}])
    began = time.monotonic()
    first.ask("migrate", uri=channel)
    first.until("pre-switchover")
    paused = time.monotonic()
    handed = json.loads(run("disk", "handoff", "disk", "--to", "b", "--host", "a", "--json"))
    given = time.monotonic()
    first.ask("migrate-continue", state="pre-switchover")
    first.until("completed")
    while second.ask("query-status")["status"] != "running":
        time.sleep(0.005)
    print(f"migrated in {time.monotonic() - began:.2f} s; the verb took {(given - paused) * 1e3:.0f} ms, its pause {handed['pause_us'] / 1e3:.1f} ms")
    for megabyte in range(16):
        second.io(f"read -P {megabyte + 1} {megabyte}M 1M")
    second.io("write -P 99 3M 1M")
    second.io("flush")
    print("the second QEMU reads what the first one wrote")
    # As after a migration that failed: the guest is to go on where it was.
    second.ask("stop")
    run("disk", "attach", "disk", "--incoming", "--host", "a")
    run("disk", "handoff", "disk", "--to", "a", "--host", "b")
    first.ask("cont")
    first.io("read -P 99 3M 1M")
    first.io("read -P 1 0 1M")
    first.io("write -P 100 0 1M")
    print("and back: the first QEMU found its disk at the same place")


try:
    migrate()
finally:
    for child in started:
        child.kill()
    for child in started:
        child.wait()
    shutil.rmtree(work)
