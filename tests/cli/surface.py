#!/usr/bin/env python3
"""What is made of the option tables beside help: manual pages and completion: surface.py PROGRAM.
Shells and mandoc are used where they are installed."""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
PATH = os.path.dirname(PROGRAM) + ":" + os.environ["PATH"]


def run(*args):
    done = subprocess.run([PROGRAM, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60)
    return done.returncode, done.stdout, done.stderr


def commands():
    listed = run("help")[1].split("Commands:\n")[1].split("\n\n")[0]
    names = [line.split()[0] for line in listed.splitlines() if re.match(r"  \S", line)]
    return [name for name in names if name != "version"]


def offered(*words):
    """Words that the program itself offers to go on with."""
    code, out, err = run("complete", *words)
    assert (code, err) == (0, ""), (code, err)
    return [line.split("\t")[0] for line in out.splitlines()]


class Answers(unittest.TestCase):
    def test_commands(self):
        self.assertEqual(sorted(offered("")), sorted(commands() + ["version"]))
        self.assertEqual(offered("tr"), ["train"])
        self.assertEqual(offered("--v"), ["--version"])
        self.assertEqual(offered("frobnicate", ""), [])
        self.assertEqual(run("complete")[:2], (0, ""))

    def test_every_option_of_every_command(self):
        for name in commands():
            help_text = run(name, "-h")[1]
            options = set(re.findall(r"^  (?:-., )?(--[a-z0-9-]+)", help_text, re.M))
            self.assertEqual(set(offered(name, "--")), options, name)
            self.assertEqual(offered(name, "--quie"), ["--quiet"])

    def test_values(self):
        self.assertEqual(offered("train", "--precision", "f"), ["fp32", "fp16"])
        self.assertEqual(offered("train", "--precision=f"), ["--precision=fp32", "--precision=fp16"])
        self.assertEqual(offered("train", "--precision", "=", "f"), ["fp32", "fp16"])  # as bash cuts it
        self.assertEqual(offered("train", "--precision", "="), ["fp32", "fp16", "bf16"])
        self.assertEqual(offered("train", "--encoder", "resnet3"), ["resnet34"])
        self.assertEqual(offered("bench", "--encoder", "resnet3"), ["resnet34"])
        self.assertEqual(offered("train", "--optimizer", ""), ["sgd", "adamw", "lars"])
        self.assertEqual(offered("train", "--recipe", "moco"), ["moco-cifar10"])
        self.assertEqual(offered("recipes", "moco"), ["moco-cifar10"])
        self.assertEqual(offered("help", "rec"), ["recipes"])
        self.assertEqual(offered("completion", ""), ["bash", "zsh", "fish"])
        self.assertEqual(offered("train", "--device", ""), ["gpu", "cpu"])
        self.assertEqual(offered("train", "--epochs", ""), [])
        self.assertEqual(offered("embed", "--split", "t"), ["train", "test"])
        self.assertIn("did you mean 'test'?", run("embed", "--split", "tset")[2])

    def test_options_of_the_method_named_before(self):
        self.assertNotIn("--queue", offered("train", "--"))
        self.assertIn("--queue", offered("train", "--method", "moco", "--"))
        self.assertIn("--queue", offered("train", "--recipe=moco-cifar10", "--"))

    def test_paths_are_the_shell_s(self):
        self.assertEqual(offered("train", "--data", ""), [":files"])
        self.assertEqual(offered("train", "-o", ""), [":directories"])
        self.assertEqual(offered("eval", ""), [":directories"])
        self.assertEqual(offered("augment", "--", "--quiet"), [":files"])
        self.assertEqual(offered("devices", ""), [])


def bash_words(*words):
    """What bash would offer for a line, without a terminal."""
    script = ("eval \"$(clcontrast completion bash)\"; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); "
              "_clcontrast; printf '%s\\n' \"${COMPREPLY[@]}\"; complete -p clcontrast")
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", *words], capture_output=True, text=True,
                          env=dict(os.environ, PATH=PATH), stdin=subprocess.DEVNULL, timeout=60)
    *found, rule = done.stdout.splitlines()
    assert rule == "complete -F _clcontrast clcontrast", done
    return found


def typed(argv, keys, until, **env):
    """The screen of an interactive shell after `keys`, each sent when the pattern before it is seen."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(env, PATH=PATH, TERM="dumb", PS1="ready> ")
        os.execvp(argv[0], argv)
    screen, wait = "", "ready> "
    try:
        for key, following in zip(keys, until):
            screen = read_until(fd, screen, wait)
            os.write(fd, key.encode())
            screen, wait = "", following
        return read_until(fd, screen, wait)
    finally:
        os.kill(pid, 9)
        os.close(fd)
        os.waitpid(pid, 0)


def read_until(fd, screen, wait):
    end = time.monotonic() + 20
    while not re.search(wait, screen) and time.monotonic() < end:
        if select.select([fd], [], [], 0.2)[0]:
            screen += os.read(fd, 4096).decode(errors="replace")
    assert re.search(wait, screen), (wait, screen)
    return screen


@unittest.skipUnless(shutil.which("bash"), "no bash")
class Bash(unittest.TestCase):
    def test_words(self):
        self.assertEqual(bash_words("clcontrast", "tr"), ["train"])
        self.assertEqual(bash_words("clcontrast", "train", "--method", "sims"), ["simsiam"])
        self.assertEqual(bash_words("clcontrast", "train", "--method", "=", "sims"), ["simsiam"])
        self.assertIn("--method", bash_words("clcontrast", "train", "--me"))

    def test_paths(self):
        here = os.getcwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            os.mkdir("photos of mine")
            open("photo.jpg", "w").close()
            try:
                self.assertEqual(bash_words("clcontrast", "eval", "pho"), ["photos of mine"])
                found = bash_words("clcontrast", "augment", "pho")
                self.assertEqual(sorted(found), ["photo.jpg", "photos of mine"])
            finally:
                os.chdir(here)

    def test_keys(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(folder + "/two words")
            screen = typed(["bash", "--norc", "--noprofile", "-i"],
                           ["cd '%s'; eval \"$(clcontrast completion bash)\"\n" % folder,
                            "clcontrast rec\tmo\t", "--quie\t\x15", "clcontrast train --precision=bf\t",
                            "--data tw\t"],
                           ["ready> ", "clcontrast recipes moco-cifar10 ", "--quiet ",
                            "clcontrast train --precision=bf16 ", r"--data two\\ words"])
            self.assertIn("two\\ words", screen)


@unittest.skipUnless(shutil.which("zsh"), "no zsh")
class Zsh(unittest.TestCase):
    def test_keys(self):
        typed(["zsh", "-f", "-i"],
              ["autoload -U compinit; compinit -D -u; source <(clcontrast completion zsh)\n",
               "clcontrast rec\tmo\t\x15", "clcontrast train --precision=bf\t"],
              ["ready> ", "clcontrast recipes[ \b]* moco-cifar10 ", "--precision=bf16 "])


@unittest.skipUnless(shutil.which("fish"), "no fish")
class Fish(unittest.TestCase):
    def test_words(self):
        with tempfile.TemporaryDirectory() as home:
            for line, first in (("clcontrast rec", "recipes"), ("clcontrast train --method sims", "simsiam"),
                                ("clcontrast train --precision=bf", "--precision=bf16")):
                done = subprocess.run(
                    ["fish", "--no-config", "-c", "clcontrast completion fish | source; complete -C '%s'" % line],
                    capture_output=True, text=True, env=dict(os.environ, PATH=PATH, HOME=home), timeout=60)
                self.assertEqual(done.stdout.split()[0], first, done)


class Manual(unittest.TestCase):
    def test_pages_are_clean(self):
        if not shutil.which("mandoc"):
            self.skipTest("no mandoc")
        for args in [()] + [(name,) for name in commands()]:
            code, page, err = run("help", "--man", *args)
            self.assertEqual((code, err), (0, ""))
            done = subprocess.run(["mandoc", "-Tlint"], input=page, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (0, ""), args)

    def test_pages_say_what_help_says(self):
        for name in commands():
            page = run("help", "--man", name)[1].replace("\\-", "-").replace("\\\n", "")
            self.assertIn(".SH NAME\nclcontrast-%s - " % name, page)
            for option in re.findall(r"^  (?:-., )?(--[a-z0-9-]+)", run(name, "-h")[1], re.M):
                self.assertRegex(page, r"(?m)^\\fB(-., )?%s\\fR" % option)
            for section in ("SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS"):
                self.assertIn("\n.SH %s\n" % section, page)
        for name in commands():
            self.assertIn("clcontrast\\-%s (1)" % name, run("help", "--man")[1])

    def test_dates_can_be_repeated(self):
        done = subprocess.run([PROGRAM, "help", "--man"], capture_output=True, text=True,
                              env=dict(os.environ, SOURCE_DATE_EPOCH="86400"))
        self.assertIn('.TH "CLCONTRAST" 1 "1970-01-02"', done.stdout)


class Documents(unittest.TestCase):
    def test_exit_codes(self):
        with open(os.path.join(os.path.dirname(__file__), "../../README.md")) as file:
            text = file.read()
        codes = re.findall(r"(?m)^  (\d+) +(.*)$", run("help")[1].split("Exit codes:\n")[1])
        self.assertEqual(len(codes), 13)
        self.assertEqual([code for code in codes[:-2] if "| %s | %s |\n" % code not in text], [])

    def test_quirks(self):
        code, _, hint = run("train", "--quirk", "+nothing", "--dry-run")
        if code == 4:
            self.skipTest("no device")
        names = re.search("names: (.*)", hint).group(1).split(", ")
        with open(os.path.join(os.path.dirname(__file__), "../../docs/DEVICES.md")) as file:
            text = file.read()
        self.assertEqual([name for name in names if "`%s`" % name not in text], [])


if __name__ == "__main__":
    unittest.main(verbosity=1)
