"""What stands in JetStream: made as designed, kept as an operator changed it, refused when it is too new."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from picoclaw.errors import JetStreamDisabled, StoreTooNew, SwarmError
from picoclaw.swarm.streams import Limits, stream_configs
from picoclaw.swarm.subjects import EXPECTED_SUBJECT_SEQ
from picoclaw.swarm.swarm import Swarm
from picoclaw.swarm.wire import WRONG_LAST_SEQUENCE, ApiError
from picoclaw.tests.support.executors import Runs, executors
from picoclaw.tests.support.nats import StartNats
from picoclaw.tests.support.swarm import Lab, lab_on

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]


async def config_of(swarm: Swarm, stream: str) -> dict[str, Any]:
    found: dict[str, Any] = (await swarm.wire.api(f"STREAM.INFO.{stream}"))["config"]
    return found


async def test_streams_are_what_the_design_says(lab: Lab) -> None:
    swarm = await lab.door()
    names = swarm.names
    tasks, requests = await config_of(swarm, names.tasks), await config_of(swarm, names.requests)
    for queue in (tasks, requests):
        assert (queue["retention"], queue["max_msgs_per_subject"]) == ("workqueue", 1)
        assert (queue["discard"], queue["max_msgs"], queue["max_bytes"]) == ("old", -1, -1)
    assert tasks["allow_msg_schedules"]
    log = await config_of(swarm, names.log)
    assert (log["retention"], log["discard"], log["max_age"], log["storage"]) == ("limits", "new", 0, "file")
    assert log["max_msgs_per_subject"] == -1, "every entry of a task is kept"
    members = await config_of(swarm, names.members)
    assert (members["storage"], members["max_msgs_per_subject"]) == ("memory", 1)
    assert members["max_age"] == 600 * 10**9


async def test_many_nodes_make_the_streams_at_once(lab: Lab) -> None:
    await asyncio.gather(*(lab.door() for _ in range(8)))


async def test_what_an_operator_changed_stays(lab: Lab) -> None:
    swarm = await lab.door()
    config = await config_of(swarm, swarm.names.log)
    await swarm.wire.api(f"STREAM.UPDATE.{swarm.names.log}", config | {"max_bytes": 123_456_789})
    await lab.worker(executors(Runs()))
    assert (await config_of(swarm, swarm.names.log))["max_bytes"] == 123_456_789


async def test_a_neighbouring_version_of_the_same_store_is_not_turned_back(lab: Lab) -> None:
    swarm = await lab.door()
    config = await config_of(swarm, swarm.names.dead_letters)
    await swarm.wire.api(f"STREAM.UPDATE.{swarm.names.dead_letters}", config | {"description": "theirs"})
    again = await lab.door()
    assert (await config_of(again, swarm.names.dead_letters))["description"] == "theirs"


async def test_what_an_older_version_left_out_is_mended(lab: Lab) -> None:
    swarm = await lab.door()
    config = await config_of(swarm, swarm.names.dead_letters)
    config |= {"metadata": {"picoclaw-store-version": "0"}, "description": "as it was"}
    await swarm.wire.api(f"STREAM.UPDATE.{swarm.names.dead_letters}", config)
    again = await lab.door()
    found = await config_of(again, swarm.names.dead_letters)
    assert found["description"] == "tasks whose attempts are used up"
    assert found["metadata"]["picoclaw-store-version"] == "1"


@pytest.mark.parametrize("which", ["log", "tasks", "members"])
async def test_a_store_that_a_newer_version_wrote_is_refused_in_words(lab: Lab, which: str) -> None:
    swarm = await lab.door()
    stream = getattr(swarm.names, which)
    config = await config_of(swarm, stream)
    newer = config | {"metadata": config["metadata"] | {"picoclaw-store-version": "7"}}
    await swarm.wire.api(f"STREAM.UPDATE.{stream}", newer)
    with pytest.raises(StoreTooNew, match=r"newer PicoClaw \(store version 7, .*upgrade this node"):
        await lab.worker(executors(Runs()))
    assert (await config_of(swarm, stream))["metadata"]["picoclaw-store-version"] == "7", "left as it was"
    await swarm.wire.api(f"STREAM.UPDATE.{stream}", config)


async def test_an_account_without_jetstream_is_named(start_nats: StartNats, lab: Lab) -> None:
    server = start_nats(
        config="""
        accounts { A { users: [{user: a, password: b}] }, B { jetstream: enabled, users: [{user: c, password: d}] } }
        """
    )
    async with lab_on(server.url_as("a", "b"), lab.folder, clean=False) as other:
        with pytest.raises(JetStreamDisabled, match="JetStream"):
            await other.door()


async def test_a_server_without_room_for_the_streams_is_named(start_nats: StartNats, lab: Lab) -> None:
    server = start_nats(config="jetstream { max_file_store: 10MB, max_memory_store: 1GB }")
    async with lab_on(server.url, lab.folder, clean=False) as other:
        with pytest.raises(SwarmError, match=r"has no room for stream .* free disk space"):
            await other.door()


async def test_a_verb_finds_no_swarm_where_none_has_ever_run(start_nats: StartNats, lab: Lab) -> None:
    async with lab_on(start_nats().url, lab.folder, clean=False) as other:
        other.hid = None
        with pytest.raises(SwarmError, match="no swarm has ever run on this NATS server: start a node"):
            await other.door(make=False)


async def test_expected_sequence_is_per_subject_on_every_stream_that_we_compare_and_set(lab: Lab) -> None:
    swarm = await lab.door()
    names = swarm.names
    subjects: list[Callable[[str], str]] = [
        lambda tag: names.task("lane", 1, f"r-{tag}", "a"),
        lambda tag: names.inbox(1, f"r-{tag}"),
        lambda tag: names.log_of(f"r-{tag}"),
        lambda tag: names.member(tag),
        lambda tag: swarm.lanes.bucket.subject(tag),
    ]
    for subject in subjects:
        zero = {EXPECTED_SUBJECT_SEQ: "0"}
        await swarm.wire.store(subject("one"), b"x", headers=zero)
        await swarm.wire.store(subject("two"), b"x", headers=zero)
        with pytest.raises(ApiError) as refused:
            await swarm.wire.store(subject("one"), b"x", headers=zero)
        assert refused.value.code == WRONG_LAST_SEQUENCE


def test_every_stream_of_an_hid_bears_its_slug_and_version() -> None:
    from picoclaw.swarm.subjects import Names

    one, two = Names("a.b"), Names("a b")
    configs = [stream_configs(names, replicas=3, limits=Limits()) for names in (one, two)]
    assert not {c["name"] for c in configs[0]} & {c["name"] for c in configs[1]}
    assert {c["num_replicas"] for c in configs[0]} == {3}


async def test_a_message_over_the_servers_limit_is_refused_in_words_and_costs_no_connection(lab: Lab) -> None:
    swarm = await lab.door()
    largest = swarm.client.max_payload
    for send in (swarm.wire.store, swarm.wire.send):
        with pytest.raises(SwarmError, match="raise max_payload"):
            await send(swarm.names.inbox(1, "r-a"), b"x" * (largest - 10))
    assert swarm.client.stats["reconnects"] == 0
    assert await swarm.inbox.room()
