# SPDX-License-Identifier: GPL-2.0-or-later
ALIKE = True


def run(lab):
    """SIGKILL of the writer's agent, started again at once: nothing moves.

    The new agent adopts what it finds, because the lease record in /run has not run out.
    """
    lab.start()
    one = lab.host('db1')
    client = lab.client()
    gaps, began = [], lab.mark('the writer\'s agent is killed three times')
    for _ in range(3):
        lab.sleep(0.5 + lab.random.uniform(0, 0.5))
        at = one.kill('agent')
        one.start_agent()
        lab.sleep(2.5)
        gaps.append(client.gap(at - 0.1)[0])
    lab.wait_writer('db1', 5)
    client.wait_acked(20, server='db1')
    client.stop()
    lab.assert_undisturbed(client, began)
    lab.assert_nothing_lost(client, 'db1')
    return 'gaps ' + ', '.join(f'{g:.3f}' for g in gaps) + ' s'
