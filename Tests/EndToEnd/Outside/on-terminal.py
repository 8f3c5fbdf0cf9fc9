#!/usr/bin/python3
"""Runs a program whose stdin and stderr are a pseudo-terminal of 80 columns, and whose stdout is a pipe.

    on-terminal.py ANSWER PROGRAM [ARGUMENT…]

Types ANSWER and a line feed when the program asks "[y/N]". Prints JSON: status, output (stdout), terminal (what was shown).
"""
import fcntl, json, os, pty, select, struct, subprocess, sys, termios

answer, command = sys.argv[1], sys.argv[2:]
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
process = subprocess.Popen(command, stdin=slave, stderr=slave, stdout=subprocess.PIPE)
os.close(slave)
shown, output = b"", b""
is_asked = False
sources = [master, process.stdout.fileno()]
while sources:
    for source in select.select(sources, [], [])[0]:
        try:
            data = os.read(source, 65536)
        except OSError:  # Nobody has the terminal open any more.
            data = b""
        if not data:
            sources.remove(source)
        elif source == master:
            shown += data
        else:
            output += data
    if not is_asked and b"[y/N]" in shown:
        is_asked = True
        os.write(master, answer.encode() + b"\n")
print(json.dumps({"status": process.wait(), "output": output.decode(), "terminal": shown.decode()}))
