"""Carries out graphs: each action that the store lacks is made once for all that need it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builder.graph import Action, carry_out
from builder.planner import Plan
from builder.schedule import Task, execute
from builder.scripting.pre import ROOT
from builder.scripting.scripts import Setting, has_run_onerror, run_after_failure
from builder.steps import notes
from builder.steps.contract import Place
from builder.steps.conversion import Conversion, files_of
from builder.store.entries import flaw_of
from builder.store.store import Entry, Store
from host.cost import Cost, measured
from host.errors import CcisError, HostError
from host.progress import Progress

Key = tuple[str, str]
"""An action's name and digest."""

_TRIES = 3
"""How often a step is made whose inputs in the store turn out to be damaged."""


@dataclass
class Execution:
    """One run over some plans: the results of their actions, and what each of them cost."""

    plans: Sequence[Plan]
    store: Store
    progress: Progress
    results: dict[Key, Entry] = field(default_factory=dict)
    costs: dict[Key, Cost] = field(default_factory=dict)
    _tasks: dict[Key, Task] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _first_failure: threading.Lock = field(default_factory=threading.Lock)
    _from_store: set[Key] = field(default_factory=set)
    _needed_by: dict[Key, set[Key]] = field(default_factory=dict)
    _mending: threading.RLock = field(default_factory=threading.RLock)

    def run(self, when_done: Callable[[Plan], None]) -> None:
        """Make all that is missing; call `when_done` for each plan whose artefacts are there."""
        for number, plan in enumerate(self.plans):
            for action in plan.wanted:
                self._want(plan, action)
            done = ("done", str(number))
            self._tasks[done] = Task(
                done, self._missing(plan.wanted),
                lambda plan=plan, done=done: self._finish(plan, done, when_done))  # type: ignore[misc]
            self._note_needs(done, plan.wanted)
        self._say_again()
        execute(self._tasks.values(), self._stopping)

    def _say_again(self) -> None:
        """Tell what steps said whose results are in the store, each once."""
        actions = {_key(each): each for plan in self.plans for each in plan.steps.values()}
        for key in actions:
            if key in self._tasks:
                continue
            found = self.results.get(key)
            if data := found.data if found else self.store.peek(*key):
                for note in notes.read(data):
                    self.progress.say(note)

    def _note_needs(self, task: Key, actions: Iterable[Action]) -> None:
        for each in actions:
            self._needed_by.setdefault(_key(each), set()).add(task)

    def _no_longer_needs(self, task: Key) -> None:
        """Let go of results that were needed for this task, and are for no other: they may make
        room in the store while the others run."""
        with self._mending:
            for key, tasks in self._needed_by.items():
                if task in tasks:
                    tasks.discard(task)
                    if not tasks and self.results.pop(key, None) is not None:
                        self.store.let_go(*key)

    def _finish(self, plan: Plan, task: Key, when_done: Callable[[Plan], None]) -> None:
        """Note what the image is made of, so that its next build can tell what has changed."""
        for action in plan.steps.values():
            self.store.note_use(action.name, action.digest, plan.label)
        when_done(plan)
        self._no_longer_needs(task)

    def files(self, plan: Plan, name: str) -> list[tuple[Path, str]]:
        """Return the files of a format, each with its SHA-256."""
        return files_of(self.results[_key(plan.steps[name])].data)

    def _want(self, plan: Plan, action: Action) -> None:
        """Add the tasks that make an action's result, unless the store has it."""
        key = _key(action)
        if key in self.results or key in self._tasks:
            return
        if self._taken(plan, action):
            return
        for each in action.needs:
            self._want(plan, each)
        self._note_needs(key, action.needs)
        self._tasks[key] = Task(
            key, self._missing(action.needs), lambda: self._make_for_others(plan, action),
            conversion=isinstance(action.step, Conversion))

    def _missing(self, actions: Iterable[Action]) -> list[Key]:
        return [_key(each) for each in actions if _key(each) not in self.results]

    def _taken(self, plan: Plan, action: Action) -> bool:
        """Take an action's result from the store, if it is there and sound."""
        found = self.store.take(action.name, action.digest, self.progress.say)
        if found is None:
            return False
        self.results[_key(action)] = found
        self._from_store.add(_key(action))
        self.progress.finish(self._shown(plan, action), cached=True)
        return True

    def _make_for_others(self, plan: Plan, action: Action) -> None:
        self._make(plan, action)
        self._no_longer_needs(_key(action))

    def _make(self, plan: Plan, action: Action) -> None:
        """Make an action's result; again, if it failed because of what was in the store."""
        for _ in range(_TRIES):
            before = {each.name: self.results[_key(each)] for each in action.needs}
            try:
                self._make_once(plan, action, before)
                return
            except CcisError as error:
                if self._stopping.is_set() or not self._mended(plan, action, before):
                    error.add_note(f"step: {self._shown(plan, action)}")
                    self._after(error, plan, self.progress)
                    raise

    def _make_once(self, plan: Plan, action: Action, before: Mapping[str, Entry]) -> None:
        shown = self._shown(plan, action)
        progress = notes.Noting(_Shown(self.progress, action.name, shown, self._stopping))

        def fill(folder: Path) -> None:
            if not isinstance(action.step, Conversion):  # it says itself how much there is to do
                progress.start(action.name)
            carry_out(action, {name: entry.data for name, entry in before.items()},
                      Place(folder, self.store, progress))
            notes.write(folder, progress.said)

        with measured() as cost:
            entry, cached = self.store.make(
                action.name, action.digest, inputs=action.all_inputs, label=plan.label, fill=fill,
                say=self.progress.say)
        self.results[_key(action)] = entry
        if cached:  # another process has made it meanwhile
            for note in notes.read(entry.data):
                self.progress.say(note)
        else:
            self.costs[_key(action)] = cost
        self.progress.finish(shown, cached=cached)

    def _mended(self, plan: Plan, action: Action, before: Mapping[str, Entry]) -> bool:
        """Look wholly at the results of the store that a failed step started from.

        Those that are damaged are made again. Say whether one was, now or by another thread: then
        the step is worth another try.
        """
        with self._mending:
            for each in action.needs:
                key = _key(each)
                entry = self.results[key]
                if key not in self._from_store or entry is not before[each.name]:
                    continue
                if why := flaw_of(entry.path, whole=True):
                    self.progress.say(f"{self._shown(plan, each)}: the result in the store is "
                                      f"damaged and is made again: {why}")
                    self.store.forget(entry, why)
                    del self.results[key]
            for each in action.needs:
                self._provide(plan, each)
        return any(self.results[_key(each)] is not before[each.name] for each in action.needs)

    def _provide(self, plan: Plan, action: Action) -> None:
        """See that an action's result is there, in this thread."""
        if _key(action) in self.results or self._taken(plan, action):
            return
        for each in action.needs:
            self._provide(plan, each)
        self._from_store.discard(_key(action))
        self._make(plan, action)

    def _after(self, error: CcisError, plan: Plan, progress: Progress) -> None:
        """Run the %onerror scripts after the first failure, unless its step has run them itself.

        What fails because all is being stopped is no failure; what fails here is only said.
        """
        if (self._stopping.is_set() or has_run_onerror(error)
                or not self._first_failure.acquire(blocking=False)):
            return
        try:
            self._run_onerror(plan, progress)
        except CcisError as second:
            progress.say(f"%onerror: {second}")

    def _run_onerror(self, plan: Plan, progress: Progress) -> None:
        found = plan.kickstart.scripts_of("%onerror")
        if not found:
            return
        pre = plan.steps.get("pre")
        before = self.store.peek(pre.name, pre.digest) if pre else None
        with self.store.staging() as scratch:
            run_after_failure(Setting(
                (), found, plan.layout, before / ROOT if before else None,
                plan.request.image.installer_arguments, scratch, scratch, progress,
                plan.request.image.bounds))

    def _shown(self, plan: Plan, action: Action) -> str:
        """Return the name that a person sees: with several images, it says for which it is.

        One that is for several is called by the first of them and the number of the others; no two
        steps of a run have the same name, since an image has one step of each.
        """
        if len(self.plans) == 1:
            return action.name
        sharing = [each for each in self.plans
                   if (same := each.steps.get(action.name)) and same.digest == action.digest]
        first = (sharing or [plan])[0].request.flavour
        others = f" (and {len(sharing) - 1} more)" if len(sharing) > 1 else ""
        return f"{first} {action.name}{others}"


@dataclass(frozen=True)
class _Shown:
    """Progress of one step, under the name that a person sees; it ends work that is of no use."""

    progress: Progress
    step: str
    shown: str
    stopping: threading.Event

    def start(self, step: str, total: float | None = None, unit: str = "") -> None:
        self.progress.start(self._name(step), total, unit)

    def advance(self, step: str, done: float, note: str = "") -> None:
        if self.stopping.is_set():
            raise HostError("stopped: another step has failed", where=self.shown)
        self.progress.advance(self._name(step), done, note)

    def finish(self, step: str, *, cached: bool = False, note: str = "") -> None:
        self.progress.finish(self._name(step), cached=cached, note=note)

    def say(self, text: str) -> None:
        self.progress.say(text)

    def _name(self, step: str) -> str:
        return self.shown if step == self.step else step


def _key(action: Action) -> Key:
    return action.name, action.digest
