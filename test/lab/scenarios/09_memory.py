# SPDX-License-Identifier: GPL-2.0-or-later
WARM_UP_S, GROWTH_MAX_KB = 15, 256

ALIKE = True


def memory(pid):
    """(Pss, Rss) in KiB."""
    found = {}
    with open(f'/proc/{pid}/smaps_rollup') as f:
        for line in f:
            words = line.split()
            found[words[0]] = words[1]
    return int(found['Pss:']), int(found['Rss:'])


def median(values):
    return sorted(values)[len(values) // 2]


def run(lab):
    """Memory of the monitor and of the agents stays flat; SIGTERM ends each with exit 0.

    After a warm-up, the median of the first quarter against that of the last; --minutes N. The
    exit code is not 0 if a handle is left on the loop.
    """
    lab.start()
    client = lab.client(period_ms=10)
    watched = {'monitor': lab.host('mon1').monitor}
    watched.update((f'agent {h.name}', h.agent) for h in lab.dbs())
    samples = {name: [] for name in watched}
    lab.sleep(WARM_UP_S)
    at = lab.mark('measuring')
    for _ in range(int(lab.minutes * 60)):
        for name, process in watched.items():
            samples[name].append(memory(process.pid))
        lab.ctl('status')
        lab.sleep(1)
    said = []
    for name, values in samples.items():
        quarter = max(1, len(values) // 4)
        first, last = (median([v[1] for v in part]) for part in
                       (values[:quarter], values[-quarter:]))
        said.append(f'{name} {values[-1][0]} KiB')
        if not lab.asan:
            lab.check(last - first <= GROWTH_MAX_KB, f'{name} grew from {first} to {last} KiB')
    gap = client.gap(at)[0]
    client.stop()
    lab.finish()
    return 'Pss: ' + ', '.join(said) + f'; longest gap {gap:.3f} s'
