# SPDX-License-Identifier: GPL-2.0-or-later
"""What `hamm ctl receipts` says, and the same from the servers' binary logs, GTID by GTID."""
import json
import re


def receipts(lab, n=50):
    text = lab.ctl('receipts', str(n), json_out=True)[1]
    return json.loads(text[text.index('{'):])['receipts']


def each(gtids):
    """A set as hamm writes it, one by one: 0-1-101..103,0-2-7 or uuid:1-3:7 of MySQL. What is no
    such set, because hamm says more than that, is kept as it is: it equals nothing."""
    found = set()
    for item in (gtids or '').replace('none', '').split(','):
        uuid, *spans = item.split(':')
        mariadb = re.fullmatch(r'(\d+-\d+-)(\d+)(?:\.\.(\d+))?', item)
        if mariadb:
            name, first, last = mariadb.groups()
            found |= {f'{name}{i}' for i in range(int(first), int(last or first) + 1)}
        elif spans and all(re.fullmatch(r'\d+(-\d+)?', s) for s in spans):
            found |= {f'{uuid}:{i}' for s in spans
                      for i in range(int(s.split('-')[0]), int(s.split('-')[-1]) + 1)}
        elif item:
            found.add(item)
    return found


def logged(host):
    """Every GTID in the binary logs of a server."""
    found = set()
    for row in host.sql('SHOW BINARY LOGS'):
        for event in host.sql(f"SHOW BINLOG EVENTS IN '{row['Log_name']}'", 30):
            if event['Event_type'].lower().startswith('gtid'):
                found |= set(re.findall(r'GTID (\d+-\d+-\d+)|([0-9a-f-]{36}:\d+)', event['Info']))
    return {a or b for a, b in found}


def of_server(host, gtids):
    """Those that were first committed there."""
    own = (host.value('@@server_uuid') + ':' if host.flavour.name == 'mysql'
           else f"{host.value('@@gtid_domain_id')}-{host.id}-")
    return {g for g in gtids if g.startswith(own)}


def wait_noticed(lab, name):
    """Until the monitor has heard of transactions that were committed there from now on: the first
    that is new may have been on its way."""
    def heard():
        return next((h['gtid'] for h in lab.status().get('hosts', ()) if h['name'] == name), None)
    for _ in range(2):
        had = heard()
        lab.wait_until(lambda had=had: heard() not in (had, None), 5,
                       f'what {name} commits is noticed', lab.status_text)


def last_of(lab, old):
    return next(r for r in reversed(receipts(lab)) if r['from'] == old)


def assert_lost(lab, old, new, before=frozenset(), purged=frozenset()):
    """The receipt of the failover from `old`, which is back, names exactly the transactions that
    `old` has committed and `new` has not: as their binary logs say, since `before`. purged: what
    its binary log held once."""
    lab.wait_until(lambda: last_of(lab, old)['lost'], 15, f'{old} completes its receipt',
                   lambda: lab.ctl('receipts')[1])
    lost = (purged | logged(lab.host(old))) - logged(lab.host(new)) - before
    r = last_of(lab, old)
    lab.check(each(r['lost']) == lost and r.get('lost_count', 0) == len(lost),
              f'only {old} has {sorted(lost)}, the receipt says {r}')
    lab.check((r['lost'] == 'none') == (not lost) and r['to'] == new, f'receipt: {r}')
    lab.mark(f'receipt {r["number"]}: {r["lost"]}')
    return r
