"""Commands of the local file: real programs, and what becomes of those that misbehave."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from sitewarden_agent.observe import commands
from sitewarden_agent.observe.commands import Ran, run_command


async def run(*argv: str, timeout_s: float = 20.0, **more: object) -> Ran:
    return await run_command(argv, timeout_s=timeout_s, **more)  # type: ignore[arg-type]


def running(word: str) -> list[str]:
    """Processes with this word in their command line."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and word.encode() in Path("/proc", name, "cmdline").read_bytes():
                found.append(name)
        except OSError:
            continue
    return found


async def until_gone(word: str) -> None:
    async with asyncio.timeout(20):
        while running(word):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_command_gives_its_output_and_its_exit_code() -> None:
    ran = await run("/bin/sh", "-c", "echo out; echo err >&2; exit 3")
    assert (ran.exit_code, ran.stdout, ran.stderr, ran.trouble) == (3, b"out\n", b"err\n", "")
    assert ran.duration_ns > 0


async def test_words_reach_the_command_as_they_stand() -> None:
    assert (await run("/bin/echo", "$HOME; ls | cat", "*")).stdout == b"$HOME; ls | cat *\n"


async def test_its_environment_and_descriptors_are_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_AGENT", "x")
    with (tmp_path / "held").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        ran = await run("/bin/sh", "-c", "env; ls /proc/self/fd; pwd", environment={"LANG": "C"})
    lines = ran.stdout.decode().splitlines()
    assert {line.partition("=")[0] for line in lines if "=" in line} <= {
        *("PATH", "LC_ALL", "HOME", "LANG", "PWD", "OLDPWD", "SHLVL", "_", "SITEWARDEN_COMMAND")
    }
    assert [line for line in lines if line.isdigit()] == ["0", "1", "2", "3"]  # 3 is the folder that ls reads
    assert lines[-1] == "/"


async def test_it_is_last_in_line_for_the_processor_and_the_disk() -> None:
    read = "import os, time; time.sleep(0.3); print(os.nice(0))"
    before = os.nice(0)
    assert int((await run(sys.executable, "-c", read)).stdout) == min(19, max(before, commands.NICE))


async def test_what_it_is_told_arrives_on_its_input() -> None:
    assert (await run("/bin/cat", stdin=b"a secret")).stdout == b"a secret"
    assert (await run("/bin/cat")).stdout == b""


async def test_output_is_bounded_and_the_exit_code_still_told() -> None:
    ran = await run("/bin/sh", "-c", "head -c 300000 /dev/zero; exit 2", output_max_bytes=1_000)
    assert (len(ran.stdout), ran.truncated, ran.exit_code, ran.trouble) == (1_000, True, 2, "")


async def test_one_that_writes_without_end_is_ended() -> None:
    ran = await run("/bin/sh", "-c", "exec cat /dev/zero", output_max_bytes=1_000)
    assert ran.trouble == "it wrote too much and was ended"
    assert len(ran.stdout) == 1_000


async def test_at_the_timeout_it_is_killed_with_all_that_it_started() -> None:
    word = "7321.25"
    script = f"sleep {word} & setsid sleep {word} & (trap '' TERM; sleep {word}; sleep {word}) & sleep {word}"
    ran = await run("/bin/sh", "-c", f"trap '' TERM; {script}", timeout_s=0.4)
    assert ran.trouble == "no answer within 0.4 s"
    assert ran.exit_code == -9
    await until_gone(word)


async def test_what_it_leaves_running_is_killed_too() -> None:
    word = "7322.25"
    ran = await run("/bin/sh", "-c", f"sleep {word} & setsid sleep {word} & echo done")
    assert (ran.stdout, ran.exit_code, ran.trouble) == (b"done\n", 0, "")
    await until_gone(word)


async def test_when_the_caller_is_cancelled_nothing_is_left() -> None:
    word = "7323.25"
    task = asyncio.create_task(run("/bin/sh", "-c", f"setsid sleep {word} & sleep {word}"))
    while len(running(word)) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_gone(word)


async def test_what_a_killed_agent_left_running_is_ended_at_the_next_start() -> None:
    word = "7324.25"
    script = (
        "import asyncio; from sitewarden_agent.observe.commands import run_command;"
        f"asyncio.run(run_command(['/bin/sh', '-c', 'setsid sleep {word} & sleep {word}'], timeout_s=60))"
    )
    agent = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
    while len(running(f"sleep\0{word}")) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    commands.end_leftovers()
    assert len(running(f"sleep\0{word}")) == 2, "its agent still runs"
    agent.kill()
    await agent.wait()
    assert commands.end_leftovers() >= 2
    await until_gone(f"sleep\0{word}")


async def test_a_program_that_ends_by_a_signal_says_which() -> None:
    assert (await run("/bin/sh", "-c", "kill -TERM $$")).exit_code == -15


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is not there; correct its path"),
        ("#!/no/such/interpreter\n", "is not there; correct its path, or that of the interpreter"),
        ("no program", "could not be started (Exec format error)"),
    ],
)
async def test_one_that_cannot_be_started_says_why(tmp_path: Path, content: str | None, said: str) -> None:
    program = tmp_path / "program"
    if content is not None:
        program.write_text(content)
        program.chmod(0o755)
    ran = await run(str(program))
    assert ran.exit_code is None
    assert said in ran.trouble


async def test_one_without_the_right_mode_says_so(tmp_path: Path) -> None:
    (tmp_path / "program").write_text("#!/bin/sh\n")
    assert "may not be executed by this agent" in (await run(str(tmp_path / "program"))).trouble


async def test_only_so_many_run_side_by_side(tmp_path: Path) -> None:
    script = f"touch {tmp_path}/$$; ls {tmp_path} | wc -l; sleep 0.1; rm {tmp_path}/$$"
    ran = await asyncio.gather(*(run("/bin/sh", "-c", script) for _ in range(6)))
    assert max(int(one.stdout) for one in ran) <= commands.AT_ONCE_MAX


async def test_without_descriptors_for_processes_it_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(pid: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", refused)
    assert (await run("/bin/sh", "-c", "sleep 0.1; exit 4")).exit_code == 4
