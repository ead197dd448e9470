#!/usr/bin/env python3
"""The program as a person meets it: cli.py PROGRAM. Exit codes, streams, messages, terminals."""
import atexit
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

from folders import Folder

PROGRAM = os.path.abspath(sys.argv.pop(1))


def run(*args, env=None, **more):
    full = dict(os.environ, **(env or {}))
    full = {key: value for key, value in full.items() if value is not None}
    done = subprocess.run([PROGRAM, *args], stdin=subprocess.DEVNULL, capture_output=True, env=full,
                          timeout=300, **more)
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
    listed = run("help").out.split("Commands:\n")[1].split("\n\n")[0]
    names = [line.split()[0] for line in listed.splitlines() if re.match(r"  \S", line)]
    return [name for name in names if name != "version"]


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


VENDORS = "/etc/OpenCL/vendors"


def alone(icd):
    """For OCL_ICD_VENDORS: a directory, which every loader takes, with one of the files there; "" where it is not."""
    if not os.path.exists(os.path.join(VENDORS, icd)):
        return ""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    os.chmod(folder, 0o755)
    shutil.copy(os.path.join(VENDORS, icd), folder)
    return folder


POCL, RUSTICL = alone("pocl.icd"), alone("rusticl.icd")
BAD_DRIVER = os.environ.get("CTR_BAD_DRIVER", "")
MUST = os.environ.get("CTR_REQUIRE_DEVICE") == "1"


def devices(*args, **env):
    done = run("devices", "--json", *args, env=env)
    done.json = json.loads(done.out)
    return done


class Devices(unittest.TestCase):
    def test_no_platform(self):
        for args in ((), ("--no-probe",)):
            done = run("devices", *args, env={"OCL_ICD_VENDORS": "/nonexistent"})
            self.assertEqual((done.returncode, done.out), (4, ""))
            self.assertIn("error: no OpenCL platform found\nhint: ", done.err)
            self.assertIn("apt install pocl-opencl-icd", done.err)
        done = devices(OCL_ICD_VENDORS="/nonexistent")
        self.assertEqual(done.returncode, 4)
        self.assertEqual(done.json, {"schema": 1, "platforms": [], "devices": []})

    @unittest.skipUnless(MUST or os.path.exists(POCL), "no PoCL")
    def test_devices_that_are_not_there(self):
        """Each command that opens one before it reads anything; none leaves a file."""
        with tempfile.TemporaryDirectory() as folder:
            for line in ("ablate", "augment shapes -o v.png", "bench dense", "classify none none --examples none",
                         "dedup none", "embed none -o e.npy", "map none -o m.svg", "search none none",
                         "train --out run", "train --dry-run --out run", "tune"):
                for name in ("99", "-1", "foo") if line == "tune" else ("99",):
                    done = run(*line.split(), "--device", name, cwd=folder)
                    self.assertEqual((done.returncode, done.out), (2, ""), line)
                    self.assertIn("there is no device '%s'\nhint: devices: 0 " % name, done.err)
                done = run(*line.split(), cwd=folder, env={"OCL_ICD_VENDORS": "/nonexistent"})
                self.assertEqual((done.returncode, done.out), (4, ""), line)
                self.assertIn("no OpenCL platform is installed\nhint: ", done.err)
            self.assertEqual(os.listdir(folder), [])

    @unittest.skipUnless(os.path.exists(RUSTICL), "no rusticl")
    def test_platform_without_devices(self):
        done = run("devices", env={"OCL_ICD_VENDORS": RUSTICL, "RUSTICL_ENABLE": None})
        self.assertEqual(done.returncode, 4)
        self.assertIn("no devices; set RUSTICL_ENABLE=", done.out)
        self.assertIn("error: the OpenCL platforms here have no devices", done.err)

    @unittest.skipUnless(MUST or os.path.exists(POCL), "no PoCL")
    def test_the_cpu(self):
        with tempfile.TemporaryDirectory() as vendors:
            with open(os.path.join(vendors, "broken.icd"), "w") as icd:
                icd.write("libthereisnosuchdriver.so.1\n")
            shutil.copy(os.path.join(VENDORS, "pocl.icd"), vendors)
            done = devices(OCL_ICD_VENDORS=vendors)
        self.assertEqual((done.returncode, done.err), (0, ""))
        self.assertEqual((len(done.json["platforms"]), len(done.json["devices"])), (1, 1))
        device = done.json["devices"][0]
        self.assertEqual((device["index"], device["kind"], device["ok"]), (0, "cpu", True))
        self.assertGreaterEqual(device["global_bytes"], device["max_alloc_bytes"])
        table = run("devices", env={"OCL_ICD_VENDORS": POCL})
        self.assertEqual((table.returncode, table.err), (0, ""))
        self.assertRegex(table.out, r"(?m)^   0 cpu   .* works$")
        untried = devices("--no-probe", OCL_ICD_VENDORS=POCL).json["devices"][0]
        self.assertFalse(untried["probed"])
        self.assertNotIn("ok", untried)

    @unittest.skipUnless(MUST or os.path.exists(POCL), "no PoCL")
    def test_driver_that_finds_no_linker(self):
        with tempfile.TemporaryDirectory() as cache:
            env = {"OCL_ICD_VENDORS": POCL, "PATH": "/nonexistent", "POCL_CACHE_DIR": cache}
            done = run("devices", env=env)
            self.assertIn(done.returncode, (0, 4)) # newer releases bring their own
            if done.returncode == 4:
                self.assertIn(" FAILS\n", done.out)
                self.assertIn("probe: ", done.out)
                self.assertIn("binutils", done.err)
                done = run("train", "--out", cache + "/run", env=env)
                self.assertEqual((done.returncode, os.path.exists(cache + "/run")), (6, False))
                self.assertIn("error: PoCL", done.err)

    @unittest.skipUnless(BAD_DRIVER, "no driver that fails on purpose")
    def test_drivers_that_fail(self):
        for how in ("abort-context", "fail-context"):
            env = {"OCL_ICD_VENDORS": BAD_DRIVER, "BAD_DRIVER": how}
            done = run("devices", env=env)
            self.assertEqual(done.returncode, 4, how)
            self.assertIn(" FAILS\n", done.out)
            self.assertIn("error: no OpenCL device here works\nhint: ", done.err)
            self.assertFalse(devices(**env).json["devices"][0]["ok"])
        for how in ("abort-discover", "exit-discover"):
            done = run("devices", env={"OCL_ICD_VENDORS": BAD_DRIVER, "BAD_DRIVER": how})
            self.assertEqual((done.returncode, done.out), (1, ""), how)
            self.assertTrue(done.err.startswith("error: "), done.err)

    @unittest.skipUnless(BAD_DRIVER, "no driver that fails on purpose")
    def test_driver_that_aborts_in_training(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run("train", "--out", folder + "/run",
                       env={"OCL_ICD_VENDORS": BAD_DRIVER, "BAD_DRIVER": "abort-discover"})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("error: ", done.err)
        self.assertIn("'clcontrast devices'", done.err)

    @unittest.skipUnless(MUST or os.path.exists(POCL), "no PoCL")
    def test_terminals(self):
        os.environ["OCL_ICD_VENDORS"] = POCL
        for term, columns in (("xterm", 10), ("xterm", 80), ("xterm", 300), ("dumb", 80), (None, 80)):
            text, code = on_terminal("devices", "--no-probe", term=term, columns=columns)
            self.assertEqual(code, 0)
            self.assertIn("not tried", text)
            self.assertTrue(columns != 80 or all(len(line) <= 80 for line in text.splitlines()))
        self.assertEqual(shell('"$1" devices --no-probe >&- 2>&-').returncode, 0)

    def test_flags(self):
        self.assertIn("true or false, not 'maybe'", run("devices", "--json=maybe").err)
        self.assertIn("unexpected argument '0'", run("devices", "0").err)


# Each command that writes a file: what it is given, the option, an ending. What is read is not there, but the
# file to write is looked at first.
OUTPUTS = ((["ablate"], "--out", ".png"), (["augment", "none"], "--out", ".png"), (["bench"], "--svg", ".svg"),
           (["classify", "none", "none", "--examples", "none"], "--out", ".csv"),
           (["dedup", "none"], "--html", ".html"), (["embed", "none"], "--out", ".npy"),
           (["eval", "none"], "--confusion", ".png"), (["export", "none"], "--out", ".onnx"),
           (["import", "none"], "--out", ".safetensors"), (["map", "none"], "--out", ".svg"),
           (["pack", "none"], "--out", ".ctrd"), (["plot", "none"], "--out", ".svg"),
           (["report", "none"], "--out", ".html"), (["search", "none", "none"], "--html", ".html"))


class Outputs(Folder):
    def touch(self, name):
        with open(self.path(name), "w") as file:
            file.write("old")
        return self.path(name)

    def refused(self, code, words, *args):
        done = run(*args)
        self.assertEqual((done.returncode, done.out), (code, ""), args)
        self.assertIn(words, done.err, args)

    def test_every_command_is_here(self):
        for name in commands():
            if re.search(r"--(out|svg|html|confusion) FILE", run(name, "--help").out):
                self.assertIn(name, [args[0] for args, _, _ in OUTPUTS])

    def test_what_cannot_be_written(self):
        for args, option, ending in OUTPUTS:
            place, pipe, link = (self.path(name + ending) for name in ("place", "pipe", "link"))
            if not os.path.lexists(place):
                os.mkdir(place)
                os.mkfifo(pipe)
                os.symlink("nowhere", link)
            before = sorted(os.listdir(self.folder))
            for code, words, path in ((2, "is a directory", place), (2, "is no regular file", pipe),
                                      (10, "leads nowhere", link), (10, "cannot create", self.path("no/x" + ending)),
                                      (10, "cannot create", self.path("x" * 250 + ending))):
                self.refused(code, words, *args, option, path)
            self.assertEqual(sorted(os.listdir(self.folder)), before)

    def test_what_is_there_stays(self):
        for args, option, ending in OUTPUTS:
            if "--overwrite" in run(args[0], "--help").out:
                self.refused(2, "hint: --overwrite replaces it", *args, option, self.touch("old" + ending))
        for beside in ".json", ".labels.npy", ".classes.txt", ".paths.txt":
            there = self.touch("new" + beside)
            self.refused(2, "new%s' is there already" % beside, "embed", "none", "-o", self.path("new.npy"))
            os.remove(there)

    def test_what_is_read_stays(self):
        index, told, image = self.touch("emb.npy"), self.touch("emb.json"), self.touch("a.png")
        run, of_run = self.folder, self.touch("metrics.jsonl")
        for args in (["map", index, "-o", told], ["dedup", index, "--html", index],
                     ["search", index, "--row", "0", "--html", self.folder + "/./emb.json"],
                     ["search", "none.npy", index, "--html", index], ["dedup", "none", "--model", image, "--html", image],
                     ["augment", image, "-o", image], ["classify", "none", image, "--examples", "none", "-o", image],
                     ["classify", image, "b.png", "--examples", "none", "-o", image],
                     ["plot", run, "-o", of_run], ["report", run, "-o", of_run], ["eval", run, "--confusion", of_run],
                     ["export", image, "-o", image, "--format", "npz", "--overwrite"],
                     ["import", image, "-o", image, "--overwrite"], ["pack", image, "-o", image, "--overwrite"],
                     ["embed", index, "-o", index, "--overwrite"]):
            self.refused(2, "is what is read", *args)
        for path in index, told, image, of_run:
            self.assertEqual(os.path.getsize(path), 3)


@unittest.skipUnless(os.environ.get("CTR_NO_MEMORY"), "no library that lets requests for memory fail")
class Memory(unittest.TestCase):
    def test_each_request_fails_once(self):
        with tempfile.TemporaryDirectory() as folder:
            x, toml, out = (os.path.join(folder, name) for name in ("x.npy", "f.toml", "m"))
            head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (12, 3), }".ljust(117) + b"\n"
            with open(x, "wb") as file:
                file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head +
                           struct.pack("<36f", *(i * i % 37 for i in range(36))))
            with open(toml, "w") as file:
                file.write('batch = 8\ndata = "photos"\nkernel = "relu=plain"\naugment = "crop(0.3,1) flip | gray"\n')
            before = sorted(os.listdir(folder))
            for args in (["train", "--help"],
                         ["train", "--config", toml, "--print-config"], ["info", x], ["augment", "--list"],
                         ["map", x, "--method", "pca", "-o", out + ".html", "-o", out + ".csv", "-o", out + ".json"]):
                n, count, failed = 1, 1, 0
                while n <= count:
                    env = {"LD_PRELOAD": os.environ["CTR_NO_MEMORY"], "NO_MEMORY": str(n),
                           "NO_MEMORY_COUNT": os.path.join(folder, "count")}
                    done = run(*args, env=env)
                    with open(os.path.join(folder, "count")) as file:
                        count = int(file.read())
                    os.remove(os.path.join(folder, "count"))
                    self.assertIn(done.returncode, (0, 1), (args, n, done.err))
                    if done.returncode:
                        self.assertRegex(done.err, "error: .*out of (host )?memory", (args, n))
                        self.assertEqual(sorted(os.listdir(folder)), before)
                    for name in set(os.listdir(folder)) - set(before):
                        os.remove(os.path.join(folder, name))
                    failed += done.returncode
                    n += 1 if n < 20 else n // 4
                self.assertGreater(failed, 0, args)


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
