#!/usr/bin/python3
"""Runs a program on a terminal of its own (a pseudo-terminal) and passes on what it writes there.

    terminal.py COLUMNS ROWS STEPS PROGRAM [ARGUMENT…]

STEPS is JSON, a list of [text, key]: once the text has appeared since the last step the key is typed; a key "resize:C:R"
changes the terminal's size instead. The last line on stderr says, as JSON, whether the terminal's modes were put back
("restored") and all steps were taken ("steps"). The exit code is the program's; 128 and more: a signal's.
"""
import fcntl, json, os, pty, select, struct, sys, termios, time

columns, rows, steps = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])


def resize(descriptor, columns, rows):
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


master, slave = pty.openpty()
resize(slave, columns, rows)
before = termios.tcgetattr(slave)
child = os.fork()
if child == 0:
    os.close(master)
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    os.dup2(slave, 0)
    os.dup2(slave, 1)
    os.execv(sys.argv[4], sys.argv[4:])
output, position = b"", 0
deadline = time.monotonic() + 60
status = None
while True:
    ready, _, _ = select.select([master], [], [], 0.1)
    if ready:
        output += os.read(master, 65536)
    elif status is not None:
        break
    if steps and steps[0][0].encode() in output[position:]:
        position = len(output)
        key = steps.pop(0)[1]
        if key.startswith("resize:"):
            resize(slave, *map(int, key.split(":")[1:]))
        else:
            os.write(master, key.encode())
    if status is None:
        done, code = os.waitpid(child, os.WNOHANG)
        if done:
            status = code
        elif time.monotonic() > deadline:
            os.kill(child, 9)
os.write(1, output)
after = termios.tcgetattr(slave)
print("\n" + json.dumps({"restored": before == after, "steps": not steps}), file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status) % 256 if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
