"""Which workers there should be: with processes that are doubles, and time that is a number."""

from __future__ import annotations

import signal

import pytest

from daphne_like.supervisor.crew import STACKS, Crew, State, Terms, Worker

TERMS = Terms(starting=100.0, leaving=30.0)
READY = {"READY": "1"}


class Process:
    """A process that ends when the test says so."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.status: int | None = None
        self.told: list[int] = []
        self.size = 0
        self.forgotten = False

    def poll(self) -> int | None:
        return self.status

    def tell(self, number: int) -> None:
        self.told.append(number)

    def resident(self) -> int:
        return self.size

    def forget(self) -> None:
        self.forgotten = True


class House:
    """A crew with its time; processes by their order."""

    def __init__(self, wanted: int = 2, terms: Terms = TERMS) -> None:
        self.processes: list[Process] = []
        self.numbers: list[int] = []
        self.now = 0.0
        self.full = False
        self.crew = Crew(wanted, self._launch, terms, lambda: 0.5)

    def _launch(self, number: int) -> Process:
        if self.full:
            raise OSError(11, "Resource temporarily unavailable")
        self.numbers.append(number)
        self.processes.append(Process(100 + len(self.processes)))
        return self.processes[-1]

    def look(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.crew.look(self.now)

    def hear(self, index: int, words: dict[str, str]) -> None:
        self.crew.hear(self.processes[index], words, self.now)

    def ready(self, *indexes: int) -> None:
        for index in indexes:
            self.hear(index, READY)

    def ends(self, index: int, status: int = 0) -> None:
        self.processes[index].status = status
        self.look()

    def worker(self, index: int) -> Worker:
        [found] = [one for one in self.crew.workers if one.process is self.processes[index]]
        return found

    def leaves(self, index: int) -> None:
        """It was told to, and does."""
        assert self.processes[index].told == [signal.SIGTERM]
        self.ends(index)


@pytest.fixture
def serving() -> House:
    """Two workers that serve."""
    house = House()
    house.look()
    house.ready(0, 1)
    return house


# --- There are as many as are wanted ----------------------------------------------------------


def test_as_many_are_started_as_are_wanted() -> None:
    house = House(3)
    house.look()
    assert house.numbers == [1, 2, 3]
    assert not house.crew.complete
    house.ready(0, 1, 2)
    assert house.crew.complete
    house.look(1000)
    assert house.numbers == [1, 2, 3]


def test_one_that_dies_is_replaced_at_once_by_another_of_its_number(serving, caplog) -> None:
    serving.ends(1, -signal.SIGKILL)
    assert serving.numbers == [1, 2, 2]
    assert serving.processes[1].forgotten
    assert "Worker 2 (process 101) was killed by SIGKILL" in caplog.text


def test_one_that_dies_again_and_again_is_waited_for_longer_each_time(serving) -> None:
    waits = []
    for _ in range(8):
        serving.ends(len(serving.processes) - 1, 1)
        waited = 0.0
        while len(serving.processes) - 2 <= len(waits):
            serving.look(1)
            waited += 1
        waits.append(waited)
    assert waits == [0, 1, 2, 4, 8, 16, 30, 30]


def test_who_has_served_for_a_while_is_trusted_again(serving) -> None:
    for index in (1, 2):
        serving.ends(index, 1)
        serving.look(1)
    serving.ready(3)
    serving.look(30)
    serving.ends(3, 1)
    assert len(serving.processes) == 5, "no waiting"


@pytest.mark.parametrize("status", [1, 2, 3])
def test_where_none_could_ever_start_there_is_no_second_try(status) -> None:
    house = House()
    house.look()
    house.ends(0, status)
    assert house.processes[1].told == [signal.SIGTERM]
    house.ends(1)
    assert house.crew.over
    assert house.crew.verdict == status
    assert len(house.processes) == 2


def test_where_others_serve_one_that_cannot_start_is_tried_again(serving) -> None:
    serving.ends(0, 3)
    serving.ends(2, 3)
    serving.look(1)
    assert len(serving.processes) == 4
    assert not serving.crew.stopping


def test_one_that_takes_too_long_to_start_is_killed(caplog) -> None:
    house = House(1)
    house.look()
    house.look(100)
    assert house.processes[0].told == [signal.SIGKILL]
    assert "is not ready after 100 s" in caplog.text


def test_more_and_fewer_can_be_wanted_but_one_at_least(serving) -> None:
    serving.crew.grow(+1, serving.now)
    serving.look()
    assert serving.numbers == [1, 2, 3]
    serving.ready(2)
    for _ in range(5):
        serving.crew.grow(-1, serving.now)
    assert serving.crew.wanted == 1
    for index in (1, 2):
        serving.leaves(index)
    assert [worker.number for worker in serving.crew.workers] == [1]


def test_where_the_system_gives_no_process_it_is_asked_again(serving, caplog) -> None:
    serving.full = True
    serving.ends(0, -signal.SIGKILL)
    assert "Worker 1 cannot be started: [Errno 11] Resource temporarily unavailable" in caplog.text
    serving.hear(1, {"X_RETIRE": "1"})
    serving.look(10)
    serving.full = False
    serving.look(30)
    assert serving.numbers == [1, 2, 2, 1]


def test_a_signal_without_a_name_is_told_of_by_its_number(serving, caplog) -> None:
    serving.ends(0, -40)
    assert "was killed by signal 40" in caplog.text


# --- Reloading --------------------------------------------------------------------------------


def test_a_reload_replaces_one_after_the_other_each_when_its_successor_is_ready(serving) -> None:
    serving.crew.reload(serving.now)
    serving.look()
    assert serving.numbers == [1, 2, 1], "one successor, and no more"
    assert not any(process.told for process in serving.processes)
    serving.ready(2)
    serving.leaves(0)
    serving.look()
    assert serving.numbers == [1, 2, 1, 2]
    serving.ready(3)
    serving.leaves(1)
    serving.look(10)
    assert [worker.state for worker in serving.crew.workers] == [State.READY] * 2
    assert len(serving.processes) == 4


def test_code_that_is_broken_leaves_the_workers_that_there_are(serving, caplog) -> None:
    serving.crew.reload(serving.now)
    serving.look()
    serving.ends(2, 3)
    serving.look(100)
    assert len(serving.processes) == 3
    assert not any(process.told for process in serving.processes)
    assert serving.crew.complete
    assert "The reload is given up: the workers that there are go on" in caplog.text


def test_a_worker_that_starts_while_all_reload_is_started_anew() -> None:
    house = House()
    house.look()
    house.ready(0)
    house.crew.reload(house.now)
    assert house.processes[1].told == [signal.SIGTERM]
    house.look()
    assert house.numbers[2:] in ([1, 2], [2, 1])


def test_a_worker_that_dies_while_its_successor_starts_has_it_already(serving) -> None:
    serving.crew.reload(serving.now)
    serving.look()
    serving.ends(0, -signal.SIGKILL)
    serving.ready(2)
    serving.look()
    assert serving.numbers == [1, 2, 1, 2], "and the other one is reloaded as well"


def test_a_second_reload_replaces_those_too_that_the_first_has_started(serving) -> None:
    serving.crew.reload(serving.now)
    serving.look()
    serving.ready(2)
    serving.crew.reload(serving.now)
    serving.leaves(0)
    for index in (3, 4):
        serving.look()
        serving.ready(index)
    assert serving.processes[2].told == serving.processes[1].told == [signal.SIGTERM]


def test_a_second_reload_in_the_middle_of_the_first_begins_anew(serving) -> None:
    serving.crew.reload(serving.now)
    serving.look()
    serving.crew.reload(serving.now)
    assert serving.processes[2].told == [signal.SIGTERM]
    serving.ends(2)
    for index in (3, 4):
        serving.look()
        serving.ready(index)
    assert serving.processes[0].told == serving.processes[1].told == [signal.SIGTERM]
    assert serving.crew.complete


# --- What makes a worker due ------------------------------------------------------------------


def test_one_that_has_served_enough_is_replaced_without_a_gap(serving, caplog) -> None:
    caplog.set_level("INFO")
    serving.hear(0, {"X_RETIRE": "1"})
    serving.hear(1, {"X_RETIRE": "1"})
    serving.look()
    assert serving.numbers == [1, 2, 1], "never all at once"
    assert "it has served as many requests as it may" in caplog.text
    serving.ready(2)
    serving.leaves(0)


def test_one_that_has_lived_long_enough_is_replaced() -> None:
    house = House(1, TERMS._replace(lifetime=100.0, lifetime_jitter=20.0))
    house.look()
    house.ready(0)
    house.look(109)
    assert house.numbers == [1]
    house.look(1)
    assert house.numbers == [1, 1]


def test_one_that_has_grown_too_large_is_replaced() -> None:
    house = House(1, TERMS._replace(resident=1000))
    house.look()
    house.ready(0)
    house.processes[0].size = 1001
    house.look()
    assert house.numbers == [1], "it has only just begun"
    house.processes[0].size = 1000
    house.look(1)
    assert house.numbers == [1]
    house.processes[0].size = 1001
    house.look()
    assert house.numbers == [1, 1]


def test_a_successor_that_dies_is_tried_again_where_its_predecessor_is_due(serving) -> None:
    serving.hear(0, {"X_RETIRE": "1"})
    serving.look()
    serving.ends(2, 1)
    serving.look(0)
    assert serving.numbers == [1, 2, 1, 1]
    assert not serving.processes[0].told


def test_one_whose_loop_is_silent_says_where_it_is_and_is_killed(caplog) -> None:
    house = House(1, TERMS._replace(silence=60.0))
    house.look()
    house.ready(0)
    house.look(59)
    house.hear(0, {"WATCHDOG": "1"})
    house.look(59)
    assert house.processes[0].told == []
    house.look(1)
    assert house.processes[0].told == [STACKS, signal.SIGTERM]
    assert "Worker 1 (process 100) has been silent for 60.0 s" in caplog.text
    assert house.numbers == [1, 1], "another takes its place meanwhile"
    house.look(5)
    assert house.processes[0].told[-1] == signal.SIGKILL


def test_one_that_is_due_and_leaves_by_itself_needs_no_successor_more(serving) -> None:
    serving.hear(0, {"X_RETIRE": "1"})
    serving.hear(0, {"STOPPING": "1"})
    serving.look()
    assert serving.numbers == [1, 2, 1]
    serving.ready(2)
    serving.look()
    assert serving.numbers == [1, 2, 1]
    assert serving.crew.complete


# --- Leaving ----------------------------------------------------------------------------------


def test_one_that_leaves_by_itself_has_its_place_taken_at_once(serving) -> None:
    serving.hear(0, {"STOPPING": "1"})
    serving.look()
    assert serving.numbers == [1, 2, 1]
    serving.ends(0)
    assert serving.numbers == [1, 2, 1]


def test_one_that_could_not_start_is_known_by_its_end(serving, caplog) -> None:
    serving.crew.reload(serving.now)
    serving.look()
    serving.hear(2, {"STOPPING": "1"})
    serving.ends(2, 3)
    assert "The reload is given up" in caplog.text


def test_one_that_does_not_end_is_killed_unless_it_asks_for_time(serving, caplog) -> None:
    serving.crew.stop(serving.now)
    serving.hear(1, {"EXTEND_TIMEOUT_USEC": "50000000"})
    serving.look(30)
    assert [process.told for process in serving.processes] == [
        [signal.SIGTERM, signal.SIGKILL],
        [signal.SIGTERM],
    ]
    assert "Worker 1 (process 100) does not end: killed" in caplog.text
    serving.look(20)
    assert serving.processes[1].told == [signal.SIGTERM, signal.SIGKILL]


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("soon", 30), ("-1", 30), ("", 30), ("9" * 400, 86400), ("9" * 5000, 86400)],
)
def test_the_time_that_one_asks_for_is_a_number_and_has_an_end(serving, asked, seconds) -> None:
    serving.crew.stop(serving.now)
    serving.hear(1, {"EXTEND_TIMEOUT_USEC": asked})
    assert serving.worker(1).until == serving.now + seconds


def test_a_stop_is_over_when_all_have_left(serving) -> None:
    serving.crew.stop(serving.now)
    serving.leaves(0)
    assert not serving.crew.over
    serving.leaves(1)
    assert serving.crew.over
    assert serving.crew.verdict == 0
    assert len(serving.processes) == 2


def test_who_is_forced_is_told_twice_and_soon_killed(serving) -> None:
    serving.crew.force(serving.now)
    assert serving.processes[0].told == [signal.SIGTERM] * 2
    serving.look(5)
    assert serving.processes[0].told[-1] == signal.SIGKILL


def test_every_worker_hears_a_signal_that_is_for_all_once_it_knows_it(serving) -> None:
    serving.crew.grow(+1, serving.now)
    serving.look()
    serving.crew.tell(signal.SIGUSR1)
    assert serving.processes.pop().told == []
    assert [process.told for process in serving.processes] == [[signal.SIGUSR1]] * 2


# --- Development ------------------------------------------------------------------------------


def test_who_develops_gets_the_new_code_when_the_old_has_left() -> None:
    house = House(1, TERMS._replace(developing=True))
    house.look()
    house.ready(0)
    house.crew.restart(house.now)
    house.look()
    assert house.numbers == [1]
    house.leaves(0)
    assert house.numbers == [1, 1]


def test_code_that_does_not_start_is_waited_for_until_it_changes() -> None:
    house = House(1, TERMS._replace(developing=True))
    house.look()
    house.ends(0, 3)
    house.look(1000)
    assert house.numbers == [1]
    assert not house.crew.stopping
    house.crew.restart(house.now)
    house.look()
    assert house.numbers == [1, 1]
