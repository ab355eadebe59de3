"""What a drill found: a line with what was done, how many of what, lost, doubled, and which promises were broken."""

from dataclasses import dataclass, field


@dataclass
class Line:
    """The line of a drill. `lost` and `doubled` count `of`; `late` says in words what took longer than promised."""

    done: str
    of: str
    count: int = 0
    lost: int = 0
    doubled: int = 0
    notes: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)

    def promise(self, kept: bool, what: str) -> None:
        """Note a promise that wasn't kept."""
        if not kept:
            self.broken.append(what)

    def took(self, what: str, seconds: float, most: float) -> None:
        """Note how long something took; the promise is at most `most` seconds."""
        self.notes.append(f"{what} {seconds:.1f} s (at most {most:g} s)")
        if seconds > most:
            self.late.append(f"{what} took {seconds:.1f} s, not {most:g} s at most")

    @property
    def troubles(self) -> list[str]:
        """Every promise that was broken, whatever the speed of the machine; empty if all were kept."""
        lost = [f"{self.lost} of {self.count} {self.of} lost"] if self.lost else []
        return lost + self.broken

    def row(self) -> tuple[str, str, str, str, str]:
        """Return a row for the table: what was done, how many of what, lost, doubled, and everything else."""
        notes = "; ".join([*self.notes, *(f"**{trouble}**" for trouble in self.broken + self.late)])
        return self.done, f"{self.count} {self.of}", str(self.lost), str(self.doubled), notes

    def __str__(self) -> str:
        """Return the line."""
        facts = [f"{self.count} {self.of}", f"{self.lost} lost", f"{self.doubled} doubled", *self.notes]
        verdict = "; ".join(self.troubles + self.late)
        return f"{'BROKEN' if verdict else 'kept  '} {self.done}: {', '.join(facts)}{verdict and ' -- ' + verdict}"
