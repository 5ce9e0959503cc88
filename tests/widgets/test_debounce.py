"""serlib.widgets.debounce: the last of many requests is answered, once."""

import asyncio

from serlib.widgets.debounce import debounced


def test_work_is_done_once_when_the_slider_rests():
    done = []
    ask = debounced(lambda: done.append("work"), wait_s=0.05)

    async def drag():
        for _ in range(10):
            ask({"new": 1})
            await asyncio.sleep(0.01)
        assert not done
        await asyncio.sleep(0.2)
        assert done == ["work"]
        ask()
        await asyncio.sleep(0.2)
        assert done == ["work", "work"]

    asyncio.run(drag())


def test_without_an_event_loop_it_is_done_at_once():
    done = []
    debounced(lambda: done.append("work"))()
    assert done == ["work"]
