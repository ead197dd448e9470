#!/usr/bin/env python3
"""The program as a person meets it: cli.py PROGRAM. Exit codes, streams, messages, terminals."""
import os
import pty
import re
import subprocess
import sys
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))


def run(*args, env=None, **more):
    full = dict(os.environ, **(env or {}))
    full = {key: value for key, value in full.items() if value is not None}
    done = subprocess.run([PROGRAM, *args], stdin=subprocess.DEVNULL, capture_output=True, env=full,
                          timeout=120, **more)
    done.out, done.err = done.stdout.decode(), done.stderr.decode()
    return done


def shell(script, **env):
    return subprocess.run(["sh", "-c", script, "sh", PROGRAM], stdin=subprocess.DEVNULL,
                          capture_output=True, env=dict(os.environ, **env), timeout=120)


def on_terminal(*args, term="xterm", columns=80, **env):
    """Output of the program with standard output and error on a terminal, and its exit code."""
    import fcntl
    import struct
    import termios
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(env)
        os.environ.pop("TERM", None)
        if term is not None:
            os.environ["TERM"] = term
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.execv(PROGRAM, [PROGRAM, *args])
    text = b""
    while True:
        try:
            piece = os.read(fd, 4096)
        except OSError:
            break
        if not piece:
            break
        text += piece
    status = os.waitpid(pid, 0)[1]
    os.close(fd)
    return text.decode(), os.waitstatus_to_exitcode(status)


def commands():
    """Every command that the program names in its own help."""
    listed = run("help").out.split("Commands:\n")[1]
    names = [line.split()[0] for line in listed.splitlines() if line.startswith("  ")]
    return [name for name in names if name not in ("help", "version")]


class Program(unittest.TestCase):
    def test_without_arguments_it_shows_how_it_is_used(self):
        done = run()
        self.assertEqual((done.returncode, done.out), (2, ""))
        self.assertIn("usage: clcontrast COMMAND", done.err)

    def test_version(self):
        for word in ("--version", "version", "-V"):
            done = run(word)
            self.assertEqual((done.returncode, done.err), (0, ""))
            self.assertRegex(done.out, r"^clcontrast \d+\.\d+\.\d+\n$")

    def test_help_lists_the_commands(self):
        for word in ("--help", "help", "-h"):
            done = run(word)
            self.assertEqual((done.returncode, done.err), (0, ""))
            self.assertIn("Commands:", done.out)

    def test_every_command_has_help(self):
        for name in commands():
            texts = [run("help", name), run(name, "--help"), run(name, "--help", "--nonsense")]
            for done in texts:
                self.assertEqual((done.returncode, done.err), (0, ""), name)
                self.assertEqual(done.out, texts[0].out)
            self.assertIn("usage: clcontrast %s" % name, texts[0].out)
            self.assertIn("Examples:", texts[0].out)
            self.assertLess(texts[0].out.index("Examples:"), texts[0].out.index("--help"))
            self.assertTrue(all(len(line) <= 100 for line in texts[0].out.splitlines()), name)
            self.assertNotIn("Examples:", run(name, "-h").out)

    def test_unknown_commands(self):
        done = run("halp")
        self.assertEqual((done.returncode, done.out), (2, ""))
        self.assertEqual(done.err, "error: unknown command 'halp'\n"
                                   "hint: did you mean 'clcontrast help'?\n")
        self.assertEqual(run("help", "frobnicate").returncode, 2)
        self.assertIn("'clcontrast help' lists", run("frobnicate").err)
        self.assertEqual(run("").returncode, 2)
        self.assertIn("unknown option '--quiet'", run("--quiet").err)

    def test_unknown_options_of_every_command(self):
        for name in commands():
            done = run(name, "--quite")
            self.assertEqual((done.returncode, done.out), (2, ""), name)
            self.assertEqual(done.err, "error: unknown option '--quite'\n"
                                       "hint: did you mean '--quiet'?\n")

    def test_arguments_cannot_drive_the_terminal(self):
        done = run("\x1b]0;owned\x07\n\u202e")
        self.assertIn(r"'\x1b]0;owned\x07", done.err)
        self.assertNotIn("\x1b", done.err)
        self.assertNotIn("\u202e", done.err)
        self.assertEqual(run(b"\xff\xfe").returncode, 2)


class Streams(unittest.TestCase):
    def test_standard_output_closed(self):
        done = shell('"$1" help >&-')
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_standard_error_closed(self):
        self.assertEqual(shell('"$1" halp 2>&-').returncode, 2)
        self.assertEqual(shell('"$1" halp <&- >&- 2>&-').returncode, 2)

    def test_reader_that_stops_is_no_failure(self):
        done = shell('{ sleep 0.2; "$1" help; echo $? >&2; } | :')
        self.assertEqual(done.stderr, b"0\n")

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_full_disk_is_a_failure(self):
        done = shell('"$1" help >/dev/full')
        self.assertEqual(done.returncode, 10)
        self.assertIn(b"error: cannot write to standard output: No space left", done.stderr)

    def test_no_environment_at_all(self):
        self.assertEqual(run("help", env={key: None for key in os.environ}).returncode, 0)


class Terminal(unittest.TestCase):
    def test_colour_only_where_it_is_wanted(self):
        text, code = on_terminal("halp", NO_COLOR="")
        self.assertEqual(code, 2)
        self.assertIn("\x1b[1;31merror:\x1b[0m unknown command", text)
        for more in ({"NO_COLOR": "1"}, {"term": "dumb", "NO_COLOR": ""}, {"term": None, "NO_COLOR": ""}):
            text, code = on_terminal("halp", **more)
            self.assertEqual(code, 2)
            self.assertNotIn("\x1b", text)
        self.assertNotIn("\x1b", run("halp").err)

    def test_help_fits_the_terminal(self):
        for name in commands():
            for columns in (1, 10, 40, 60, 80, 250):
                text, code = on_terminal(name, "-h", columns=columns)
                self.assertEqual(code, 0)
                if columns >= 40:
                    wide = [line for line in text.splitlines()
                            if len(line) > columns and not line.startswith("usage:")]
                    self.assertEqual(wide, [])


if __name__ == "__main__":
    unittest.main(verbosity=1)
