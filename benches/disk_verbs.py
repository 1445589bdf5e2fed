"""Many disks, for benches/disk_verbs.sh: `disk_verbs.py SOCKET DISKS` makes so many by the API at that socket, lists and deletes them.

One connection for each request, as `oarlock` does; 8 requests at once where that is said.
"""

import concurrent.futures
import http.client
import json
import socket
import sys
import time


class Local(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])


def ask(method, path, body=None):
    connection = Local("localhost")
    connection.request(method, path, None if body is None else json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    if answer.status >= 300:
        sys.exit(f"{method} {path}: {answer.status} {said.decode()}")
    return json.loads(said or b"null")


def create(number):
    ask("POST", "/v1/disks", {"name": f"d{number}", "size": 1 << 30})


def delete(number):
    ask("DELETE", f"/v1/disks/d{number}")


def timed(what, count, work):
    began = time.monotonic()
    result = work()
    seconds = time.monotonic() - began
    print(f"{what}: {seconds:.1f} s, {count / seconds:.0f} disks a second", flush=True)
    return result


def at_once(work, numbers):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in pool.map(work, numbers):
            pass


count = int(sys.argv[2])
half = count // 2
timed(f"created {half} disks, one by one", half, lambda: [create(number) for number in range(half)])
timed(f"created {count - half} more, 8 at once", count - half, lambda: at_once(create, range(half, count)))
listed = timed(f"listed {count}", count, lambda: ask("GET", "/v1/disks"))
assert len(listed) == count, len(listed)
timed(f"deleted {half}, one by one", half, lambda: [delete(number) for number in range(half)])
timed(f"deleted {count - half}, 8 at once", count - half, lambda: at_once(delete, range(half, count)))
assert ask("GET", "/v1/disks") == []
