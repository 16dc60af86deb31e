"""A disk that is soon full; only root can make one."""

import os
import subprocess


class SmallDisk:
    """A folder of so many bytes, on which the processes of these names write.
    PermissionError where it cannot be made."""

    def __init__(self, m, size, *names):
        self.m, self.names, self.path = m, names, m.path("disk")
        os.makedirs(self.path)
        self.call("mount", "-t", "tmpfs", "-o", "size=%d" % size, "weft-test", self.path)

    def call(self, *words):
        if subprocess.run(words, stderr=subprocess.DEVNULL).returncode:
            raise PermissionError(words)

    def resize(self, size):
        self.call("mount", "-o", "remount,size=%d" % size, self.path)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for name in self.names:
            if name in self.m.processes:
                self.m.processes[name].kill()
        self.call("umount", self.path)
