#!/usr/bin/env python3
"""`clcontrast doctor`: doctor.py PROGRAM. Set-ups broken on purpose are found, named and mended."""
import json
import os
import resource
import shutil
import subprocess
import unittest

from cli import BAD_DRIVER, MUST, POCL, PROGRAM, VENDORS, run
from folders import Folder

SYSTEMS = {
    "debian": ('ID=debian\n', "apt install"),
    "ubuntu": ('NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n', "apt install"),
    "fedora": ('ID=fedora\n', "dnf install"),
    "rocky": ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "dnf install"),
    "arch": ('ID=arch\n', "pacman -S"),
    "endeavouros": ('ID="derived"\nID_LIKE="arch"\n', "pacman -S"),
    "alpine": ('ID=alpine\n', "apk add"),
}


class Doctor(Folder):
    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)

    def write(self, name, text=""):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def look(self, *args, **env):
        """The report, its exit code in it, and its findings as {part: [(level, text, mend)]}."""
        done = run("doctor", "--json", *args, env=env)
        report = json.loads(done.out)
        report["code"], report["err"], report["parts"] = done.returncode, done.err, {}
        for f in report["findings"]:
            report["parts"].setdefault(f["part"], []).append((f["level"], f["text"], f["mend"]))
        self.assertEqual(report["code"], 0 if report["usable_devices"] else 4)
        self.assertEqual(done.err.startswith("error: no OpenCL device"), report["code"] == 4, done.err)
        return report

    def fault(self, report, part, text, mend=""):
        found = [f for f in report["parts"].get(part, []) if f[0] in ("fault", "warning") and text in f[1]]
        self.assertTrue(found, (part, text, report["parts"]))
        self.assertIn(mend, "\n".join(found[0][2]))

    @unittest.skipUnless(MUST or os.path.exists(POCL), "no PoCL")
    def test_healthy(self):
        report = self.look(OCL_ICD_VENDORS=POCL)
        self.assertEqual((report["code"], report["usable_devices"]), (0, 1))
        self.assertNotIn("fault", [f["level"] for f in report["findings"]])
        for part in ("loader", "drivers", "platforms", "devices", "caches", "linker"):
            self.assertIn("ok", [f[0] for f in report["parts"][part]], part)
        text = run("doctor", env={"OCL_ICD_VENDORS": POCL})
        self.assertIn("1 device works; 0 faults", text.out)
        self.assertEqual((text.returncode, text.err), (0, ""))

    def test_no_vendors_directory(self):
        report = self.look(OCL_ICD_VENDORS=self.folder + "/nothing")
        self.fault(report, "drivers", "is no directory", "unset OCL_ICD_VENDORS")
        report = self.look("--root", self.folder, OCL_ICD_VENDORS=None)
        self.fault(report, "drivers", "/etc/OpenCL/vendors is not there", "pocl")

    def test_packages_of_each_distribution(self):
        os.mkdir(self.folder + "/vendors")
        for text, install in SYSTEMS.values():
            self.write("root/etc/os-release", text)
            report = self.look("--root", self.folder + "/root", OCL_ICD_VENDORS=self.folder + "/vendors")
            self.fault(report, "drivers", "has no .icd files", install + " pocl")
        self.write("root/etc/os-release", "ID=other\n")
        report = self.look("--root", self.folder + "/root", OCL_ICD_VENDORS=self.folder + "/vendors")
        for install in ("apt", "dnf", "pacman", "apk"):
            self.fault(report, "drivers", "has no .icd files", ": %s " % install)

    def test_files_that_name_no_library(self):
        self.write("root/etc/os-release", "ID=debian\n")
        self.write("vendors/gone.icd", "libpocl.so.99\n")
        self.write("vendors/amd.icd", "/opt/amd/libamdocl64.so\n")
        self.write("vendors/empty.icd", "")
        self.write("vendors/windows.icd", "libpocl.so.2\r\n")
        self.write("vendors/notes.txt", "libpocl.so.99\n")
        report = self.look("--root", self.folder + "/root", OCL_ICD_VENDORS=self.folder + "/vendors")
        self.fault(report, "drivers", "gone.icd names libpocl.so.99 does not load", "apt install pocl-opencl-icd")
        self.fault(report, "drivers", "libamdocl64.so", "apt install rocm-opencl-icd")
        self.fault(report, "drivers", "empty.icd is empty")
        self.fault(report, "drivers", "Windows line ends", "sed -i")
        self.assertNotIn("notes.txt", str(report))

    @unittest.skipUnless(MUST or os.path.exists(POCL), "no PoCL")
    def test_what_the_loader_looks_at(self):
        """ocl-icd takes files in OCL_ICD_VENDORS, Khronos's loader a list of libraries in OCL_ICD_FILENAMES."""
        self.write("vendors/gone.icd", "libgone.so\n")
        healthy = self.look(OCL_ICD_VENDORS=POCL)
        loader = healthy["parts"]["loader"][0][1]
        self.assertRegex(loader, "^(Khronos )?OpenCL ICD Loader ")
        ocl_icd = not loader.startswith("Khronos")
        no_directory = "is no directory, which is all that this loader takes"
        ignored = "is set, which this loader does not look at"
        report = self.look(OCL_ICD_VENDORS="/nonexistent/libdriver.so")
        self.fault(report, "drivers", "libdriver.so does not load" if ocl_icd else no_directory)
        for icd in ("pocl.icd", VENDORS + "/pocl.icd"):
            report = self.look(OCL_ICD_VENDORS=icd)
            self.assertEqual(report["code"], 0 if ocl_icd else 4)
            if not ocl_icd:
                self.fault(report, "drivers", no_directory, "unset OCL_ICD_VENDORS")
        report = self.look(OCL_ICD_VENDORS=None, OPENCL_VENDOR_PATH=self.path("vendors"))
        self.assertEqual("libgone.so does not load" in str(report), ocl_icd)
        self.assertEqual(ignored in str(report), not ocl_icd)
        report = self.look(OCL_ICD_VENDORS=POCL, OCL_ICD_FILENAMES="/nonexistent/one.so:/nonexistent/two.so")
        self.assertEqual(report["usable_devices"], healthy["usable_devices"])
        self.assertEqual(ignored in str(report), ocl_icd)
        if not ocl_icd:
            self.fault(report, "drivers", "/nonexistent/one.so does not load")
            self.fault(report, "drivers", "/nonexistent/two.so does not load")

    @unittest.skipUnless(MUST or os.path.exists(POCL), "no PoCL")
    def test_no_linker(self):
        os.mkdir(self.folder + "/cache")
        report = self.look(OCL_ICD_VENDORS=POCL, PATH="/nonexistent", POCL_CACHE_DIR=self.folder + "/cache")
        self.assertEqual([f[1][:14] for f in report["parts"]["linker"]], ["there is no ld"])
        if report["code"] == 4:  # newer releases bring their own
            self.fault(report, "linker", "no ld", "binutils")
            self.fault(report, "devices", "does not work: PoCL ", "binutils")

    @unittest.skipUnless(MUST or os.path.exists(POCL), "no PoCL")
    def test_caches(self):
        report = self.look(OCL_ICD_VENDORS=POCL, POCL_CACHE_DIR="")
        self.fault(report, "caches", "POCL_CACHE_DIR is set, but empty", "unset POCL_CACHE_DIR")
        if os.getuid() == 0:
            code = self.as_nobody({"OCL_ICD_VENDORS": POCL, "XDG_CACHE_HOME": "/root/no", "HOME": "/root"},
                                  drop=["POCL_CACHE_DIR"])
            self.fault(code, "caches", "our cache, /root/no/clcontrast, cannot be written: Permission denied")
            self.fault(code, "caches", "PoCL's cache, /root/no/pocl/kcache, cannot be written", "POCL_CACHE_DIR")

    @unittest.skipUnless(os.getuid() == 0 and os.path.exists(POCL), "needs root, to become somebody else, and PoCL")
    def test_few_processes(self):
        """No process, no thread of PoCL's, no ld: what is missing is no package."""
        env = {"OCL_ICD_VENDORS": POCL, "POCL_CACHE_DIR": self.folder, "XDG_CACHE_HOME": self.folder}
        os.chmod(self.folder, 0o777)
        for most, part, text in ((1, "drivers", "cannot start a process"), (2, "platforms", "looking for OpenCL devices failed")):
            report = self.as_nobody(env, limit=most)
            self.fault(report, part, text, "`ulimit -u` is %d," % most)
            self.assertNotIn("install", str([mend for found in report["parts"].values() for *_, mend in found]))

    def as_nobody(self, env, *args, drop=(), limit=None):
        full = {key: value for key, value in os.environ.items() if key not in drop}
        program = shutil.copy(PROGRAM, self.folder)
        done = subprocess.run([program, "doctor", "--json", *args], capture_output=True, text=True,
                              env=dict(full, **env), user=65534, group=65534, extra_groups=[], timeout=120,
                              preexec_fn=lambda: limit and resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit)))
        report = json.loads(done.stdout)
        report["parts"] = {}
        for f in report["findings"]:
            report["parts"].setdefault(f["part"], []).append((f["level"], f["text"], f["mend"]))
        return report

    @unittest.skipUnless(os.getuid() == 0 and shutil.which("unshare") and os.path.exists(POCL),
                         "needs root, unshare and PoCL")
    def test_full_disk(self):
        os.mkdir(self.folder + "/small")
        script = "mount -t tmpfs -o size=64k tmpfs %s/small && exec '%s' " % (self.folder, PROGRAM)
        env = dict(os.environ, OCL_ICD_VENDORS=POCL, POCL_CACHE_DIR=self.folder + "/small")
        done, train = (subprocess.run(["unshare", "-m", "sh", "-c", script + what], capture_output=True, text=True,
                                      env=env) for what in ("doctor --json", "train --out '%s/run'" % self.folder))
        if not done.stdout:
            self.skipTest("no mount: " + done.stderr)
        faults = {f["part"]: f for f in json.loads(done.stdout)["findings"] if f["level"] == "fault"}
        self.assertRegex(faults["caches"]["text"], r"/small, has \d+\.0 KiB left")
        self.assertEqual((train.returncode, os.path.exists(self.folder + "/run")), (6, False), train.stderr)
        self.assertRegex(train.stderr, "the disk of PoCL's cache, '.*/small', is full")
        if "devices" in faults:
            self.assertIn("make room", faults["devices"]["mend"][0])

    def test_gpus_without_a_driver(self):
        for address, vendor, kernel_driver in (("0000:01:00.0", "0x10de", "nouveau"),
                                               ("0000:02:00.0", "0x1002", "amdgpu"),
                                               ("0000:03:00.0", "0x8086", None),
                                               ("0000:04:00.0", "0x1af4", "virtio-pci")):
            self.write("root/sys/bus/pci/devices/%s/class" % address, "0x030000\n")
            self.write("root/sys/bus/pci/devices/%s/vendor" % address, vendor + "\n")
            if kernel_driver:
                os.symlink("../../../bus/pci/drivers/" + kernel_driver,
                           "%s/root/sys/bus/pci/devices/%s/driver" % (self.folder, address))
        self.write("root/sys/bus/pci/devices/0000:05:00.0/class", "0x020000\n")
        self.write("root/sys/bus/pci/devices/0000:05:00.0/vendor", "0x8086\n")
        self.write("root/etc/os-release", "ID=debian\n")
        os.makedirs(self.folder + "/root/etc/OpenCL/vendors")
        report = self.look("--root", self.folder + "/root", OCL_ICD_VENDORS=None)
        self.assertEqual(len(report["parts"]["GPUs"]), 3)
        self.fault(report, "GPUs", "GPU of NVIDIA (PCI 0000:01:00.0, kernel driver nouveau)", "nvidia-opencl-icd")
        self.fault(report, "GPUs", "GPU of AMD", "RUSTICL_ENABLE=radeonsi")
        self.fault(report, "GPUs", "kernel driver none", "apt install intel-opencl-icd")
        self.fault(report, "system", "/proc/cpuinfo is not there", "mount --bind /proc")
        self.write("root/proc/driver/nvidia/version", "NVRM version: 535\n")
        report = self.look("--root", self.folder + "/root", OCL_ICD_VENDORS=None)
        self.assertIn("nvidia", str(report["parts"]["drivers"]))

    @unittest.skipUnless(os.getuid() == 0, "needs root, to become somebody else")
    def test_permissions(self):
        node = self.write("root/dev/dri/renderD128")
        os.chmod(node, 0o660)
        shutil.chown(node, group="games")
        report = self.as_nobody({"OCL_ICD_VENDORS": "/nonexistent"}, "--root", self.folder + "/root")
        self.fault(report, "permissions", "renderD128 may not be opened: Permission denied; its group is games",
                   "usermod -aG games")

    @unittest.skipUnless(MUST or os.path.exists(POCL), "no PoCL")
    def test_container_with_little_memory(self):
        self.write("root/sys/fs/cgroup/memory.max", "%d\n" % (3 << 29))
        report = self.look("--root", self.folder + "/root", OCL_ICD_VENDORS=POCL)
        self.fault(report, "memory", "may use 1.5 GiB", "POCL_MEMORY_LIMIT=1")
        self.write("root/sys/fs/cgroup/memory.max", "max\n")
        self.assertNotIn("memory", self.look("--root", self.folder + "/root", OCL_ICD_VENDORS=POCL)["parts"])

    @unittest.skipUnless(BAD_DRIVER, "no driver that fails on purpose")
    def test_drivers_that_fail(self):
        for how in ("abort-discover", "exit-discover"):
            report = self.look(OCL_ICD_VENDORS=BAD_DRIVER, BAD_DRIVER=how)
            self.fault(report, "platforms", "looking for OpenCL devices failed", "OCL_ICD_VENDORS=")
        report = self.look(OCL_ICD_VENDORS=BAD_DRIVER, BAD_DRIVER="abort-context")
        self.fault(report, "devices", "does not work: driver aborted", "update its driver")


if __name__ == "__main__":
    unittest.main(verbosity=1)
