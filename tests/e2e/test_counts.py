"""Nothing is lost or stored twice on the way, told by each trace's own name and id."""


def test_many_traces_arrive_exactly_once(receiver, program):
    threads, each = 4, 5000
    program.run(
        f"""
        import threading
        from infinium import InfiniumClient
        client = InfiniumClient()

        def work(thread):
            for i in range({each}):
                client.trace(f"{{thread}}-{{i}}")(str.upper)("text")

        workers = [threading.Thread(target=work, args=(n,)) for n in range({threads})]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        result = client.flush(60)
        assert (result.delivered, result.pending, result.lost) == ({threads * each}, 0, 0), result
        client.close()
        """
    )
    receiver.wait_for_count(threads * each, seconds=60)
    traces = receiver.ls()
    assert sorted(t["name"] for t in traces) == sorted(f"{n}-{i}" for n in range(threads) for i in range(each))
    assert len({t["trace_id"] for t in traces}) == threads * each
