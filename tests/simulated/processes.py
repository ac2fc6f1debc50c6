"""A process table of real files, in which processes come, work and vanish as a test says."""

from energy.meters.cpu_model.seconds import Tree


class FakeProcesses:
    """The files of proc(5) that the tree reads, under `root`; the tree's own process has the number 1."""

    def __init__(self, root):
        self.root, self.now, self.own, self.reaped = root, 0.0, 1.0, 0.0
        self.latest = 0

    def write(self, pid, parent, ticks, name="python (worker) 3", pages=0):
        (self.root / str(pid)).mkdir(exist_ok=True)
        zeros = " ".join("0" * 9)
        fields = f"S {parent} {zeros} {ticks} 0 0 0 20 0 1 0 100 1000000 {pages} 18446744073709551615"
        (self.root / str(pid) / "stat").write_text(f"{pid} ({name}) {fields}")
        self.latest += 1
        (self.root / "loadavg").write_text(f"0.1 0.1 0.1 1/99 {self.latest}\n")

    def vanish(self, pid):
        """Leave an empty file behind the kept descriptor, where the kernel would say "no such process"."""
        (self.root / str(pid) / "stat").write_text("")
        (self.root / str(pid) / "stat").unlink()
        (self.root / str(pid)).rmdir()

    def tree(self):
        (self.root / "loadavg").write_text("0.1 0.1 0.1 1/99 0\n")
        return Tree(self.root, 1, lambda: self.own, lambda: self.reaped, lambda: True, lambda: self.now)
