# SPDX-License-Identifier: GPL-2.0-or-later
from lab.lab import WRITER
from lab.receipts import assert_lost, last_of

VARIANTS = ('pulled', 'silent')
ALIKE = ('silent',)


def run(lab, variant):
    """The writer's host is cut off: it fences itself within its lease, only then db2 takes over.

    pulled: it sees its link go down; silent: its link stays up. Nobody can tell the isolated host
    anything: by itself it gives up the address and turns read-only. The cable comes back: it
    follows the new writer and was never open for writes in between. The receipt says that it is not
    known what is lost, then what it is, to the GTID.
    """
    lab.start()
    one = lab.host('db1')
    client = lab.client()
    lab.sleep(0.5 + lab.random.uniform(0, 0.5))
    at = one.cut() if variant == 'pulled' else one.silence()
    lab.wait_writer('db2', 15)
    client.wait_acked(50, server='db2')
    receipt = last_of(lab, 'db1')
    lab.check(receipt['lost'] is None and receipt['evidence'] == 'silent', f'receipt: {receipt}')
    gone = lab.when('db1', f'address - {WRITER}', at)
    closed = lab.when('db1', 'server: read_only=1', at)
    taken = lab.first_seen(WRITER, 'db2', at)
    lab.check(gone and closed, 'db1 has kept the address or is open for writes')
    lab.check(gone < taken, f'db2 took the address {gone - taken:.3f} s before db1 let go')
    gap = client.gap(at - 0.1)[0]

    healed = lab.mark('the cable is put back')
    one.heal()
    back = lab.wait_back('db1', 'db2')
    client.wait_acked()
    client.stop()
    lab.check(lab.last_seen(WRITER, 'db1') < healed, 'db1 answered for the address again')
    lab.check(not lab.when('db1', 'server: read_only=0', closed), 'db1 was open for writes again')
    lab.check(lab.writer() == 'db2', 'the role moved when the cable came back')
    lost = lab.assert_loss_told(client, 'db1', 'db2')
    assert_lost(lab, 'db1', 'db2')
    return (f'gap {gap:.2f} s, address dropped after {gone - at:.2f} s, read-only after '
            f'{closed - at:.2f} s, {back}, longest gap after healing '
            f'{client.gap(healed)[0]:.3f} s, {lost} rows lost and told')
