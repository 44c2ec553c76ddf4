/* SPDX-License-Identifier: GPL-2.0-or-later
 * Every mistake in a configuration is named with its position and what to do: one good file, one
 * line of it replaced at a time, and the whole of what must be said then. */
#include "conf/conf.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *const good[] = {
    "cluster: shop",
    "key_file: key",
    "monitors: { mon1: { address: 10.0.0.1 } }",
    "mysql:",
    "  monitor: { user: m, password_file: m.pw }",
    "  agent: { user: a, password_file: a.pw }",
    "  replication: { user: r, password_file: r.pw }",
    "hosts:",
    "  db1: { address: 10.0.0.11, mode: master, peer: db2 }",
    "  db2: { address: 10.0.0.12, mode: master, peer: db1 }",
    "  db3: { address: 10.0.0.13, mode: replica }",
    "roles:",
    "  writer: { mode: exclusive, hosts: [db1, db2], ips: [10.0.0.100/24] }",
    "  reader: { mode: balanced, hosts: [db1, db2, db3], ips: [10.0.0.103/24, 10.0.0.104/24] }",
    "active_master_role: writer",
    "",
};

/* clang-format off */
static const struct {
    unsigned line;
    const char *instead, *said; /* without the name of the file */
} cases[] = {
    {1, "",
     "2:1: cluster is missing; add one, such as cluster: shop"},
    {1, "cluster: Shop",
     "1:10: cluster: \"Shop\" is not possible; use 1 to 32 small letters, digits and -"},
    {1, "cluster: [shop]",
     "1:10: cluster: must be one value, not a list"},
    {1, "cluster: shop\ncluster: shop",
     "2:1: cluster: given twice, first in line 1; keep one of the two"},
    {1, "cluster: shop_2",
     "1:10: cluster: \"shop_2\" is not possible; use 1 to 32 small letters, digits and -"},
    {1, "cluster: abcdefghijklmnopqrstuvwxyz0123456",
     "1:10: cluster: \"abcdefghijklmnopqrstuvwxyz0123456\" is not possible; use 1 to 32 small letters, digits and -"},
    {1, "? [a]\n: b",
     "1:3: a key must be one word; is there a bracket too many?"},
    {1, "cluster: &x shop",
     "1:10: anchors (&) and aliases (*) are not used here; write the value out, or put it in quotes if it starts with that character"},
    {1, "cluster: *x",
     "1:10: anchors (&) and aliases (*) are not used here; write the value out, or put it in quotes if it starts with that character"},
    {1, "cluster: !!str shop",
     "1:10: tags (!) are not used here; put the value in quotes if it starts with !"},
    {1, "cluster: \"sh\\0op\"",
     "1:10: a value contains a zero byte; take it out"},
    {1, "cluster: \"shop",
     "17:1: this is not YAML: found unexpected end of stream while scanning a quoted scalar that begins in line 1; correct it, the rest was not looked at"},
    {1, "cluster: \"a\\nb\\u00e9\"",
     "1:10: cluster: \"a?b\xc3\xa9""\" is not possible; use 1 to 32 small letters, digits and -"},
    {1, "cluster: a: b",
     "1:11: this is not YAML: mapping values are not allowed in this context; correct it, the rest was not looked at"},
    {1, "{a: {b: {c: {d: {e: {f: {g: {h: {i: {j: {k: {l: {m: 1}}}}}}}}}}}}}",
     "1:49: nested too deeply; nothing in this file needs that"},
    {2, "",
     "1:1: key_file is missing; add one, such as key_file: cluster.key, made with \"hamm keygen\""},
    {2, "key_file: \"\"",
     "2:11: key_file: is empty; name the file that \"hamm keygen\" made"},
    {2, "key_file: []",
     "2:11: key_file: 0 keys; there must be 1 to 4, the new one first"},
    {2, "key_file: { a: b }",
     "2:11: key_file: must be one value, not a mapping"},
    {2, "key_file: [a, b, c, d, e]",
     "2:11: key_file: 5 keys; there must be 1 to 4, the new one first"},
    {3, "",
     "1:1: monitors is missing; add one, such as monitors: { mon1: { address: 10.77.0.1 } }"},
    {3, "monitors: {}",
     "3:1: monitors: 0 monitors; there must be one, three or five"},
    {3, "monitors:",
     "3:1: monitors: there is nothing below it; fill it in or take the key out"},
    {3, "monitors: [mon1]",
     "3:11: monitors: must be a mapping, such as { key: value }"},
    {3, "monitors: { mon1: { address: 10.0.0.1 }, mon2: { address: 10.0.0.2 } }",
     "3:1: monitors: 2 monitors; there must be one, three or five"},
    {3, "monitors: { mon1: {} }",
     "3:13: monitors.mon1: address is missing; add one, such as address: 10.77.0.1"},
    {3, "monitors: { mon1: { address: mon.example, port: 70000 } }",
     "3:30: monitors.mon1.address: \"mon.example\" is not an IP address; write it in numbers, such as 10.77.0.11 or 2001:db8::11 (names are not looked up)\n" "3:49: monitors.mon1.port: \"70000\" is not a port; write a whole number from 1 to 65535"},
    {3, "monitors: { \"mon 1\": { address: 10.0.0.1 } }",
     "3:13: monitors.mon 1: \"mon 1\" is not a name; use 1 to 32 letters, digits, - and _"},
    {3, "monitors: { a: { address: 10.0.0.1 }, b: { address: 10.0.0.1 }, c: { address: 10.0.0.2 } }",
     "3:53: monitors.b.address: 10.0.0.1 port 9988, for monitor b, belongs to monitor a already (line 3); change the address or the port of one of them"},
    {3, "monitors: { a: { address: 10.0.0.11, port: 9989 } }",
     "9:19: hosts.db1.address: 10.0.0.11 port 9989, for the agent of host db1, belongs to monitor a already (line 3); change the address or the port of one of them"},
    {4, "mysql:\n  port: x",
     "5:9: mysql.port: \"x\" is not a port; write a whole number from 1 to 65535"},
    {4, "mysql:\n  prot: 1",
     "5:3: mysql.prot: unknown key; did you mean port?"},
    {4, "mysql:\n  tls: { mode: on }",
     "5:16: mysql.tls.mode: \"on\" is not possible here; choose one of: disabled, preferred, required, verify"},
    {4, "mysql:\n  tls: { cert: a }",
     "5:3: mysql.tls: cert has no key; add key: FILE"},
    {4, "mysql:\n  tls: { key: a }",
     "5:3: mysql.tls: key has no cert; add cert: FILE"},
    {4, "mysql:\n  socket: /ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss",
     "5:11: mysql.socket: \"/ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss...\" has 121 bytes; at most 107 are possible"},
    {5, "",
     "4:1: mysql: monitor is missing; add monitor: { user: NAME, password_file: FILE }"},
    {5, "  monitor: { user: m }",
     "5:3: mysql.monitor: the password is missing; add password_file"},
    {5, "  monitor: { password: x }",
     "5:3: mysql.monitor: user is missing; add user: NAME"},
    {5, "  monitor: { user: m, password: x, password_env: Y }",
     "5:36: mysql.monitor.password_env: password is given already; keep one of password, password_file and password_env"},
    {5, "  monitor: { user: \"\", password: x }",
     "5:20: mysql.monitor.user: is empty; fill it in or take it out"},
    {5, "  monitor: { user: m, password_file: \"\" }",
     "5:38: mysql.monitor.password_file: is empty; fill it in"},
    {5, "  monitor: m",
     "5:12: mysql.monitor: must be a mapping, such as { key: value }"},
    {5, "  monitor: { user: m, password_file: [m.pw] }",
     "5:38: mysql.monitor.password_file: must be one value, not a list"},
    {7, "  replication: { user: r, password_file: r.pw, channel: \"a`b\", gtid: maybe, tls: perhaps }",
     "7:57: mysql.replication.channel: \"a`b\" is not possible; use letters, digits, -, _ and .\n" "7:70: mysql.replication.gtid: \"maybe\" is not possible here; choose one of: auto, on, off\n" "7:82: mysql.replication.tls: \"perhaps\" is not possible here; choose one of: auto, disabled, preferred, required, verify"},
    {9, "  db1: { mode: master, peer: db2 }",
     "9:3: hosts.db1: address is missing; add one, such as address: 10.77.0.11"},
    {9, "  db1: { address: 10.0.0.11, peer: db2 }",
     "9:3: hosts.db1: mode is missing; add one, such as mode: master or mode: replica"},
    {9, "  db1: { address: 10.0.0.11, mode: primary, peer: db2 }",
     "9:36: hosts.db1.mode: \"primary\" is not possible here; choose one of: master, replica"},
    {9, "  db1: { address: 10.0.0.11, mode: master }",
     "9:3: hosts.db1: peer is missing; a master names the other one, such as peer: db2"},
    {9, "  db1: { address: 10.0.0.11, mode: master, peer: db1 }",
     "9:50: hosts.db1.peer: db1 cannot be its own peer; name the other master"},
    {9, "  db1: { address: 10.0.0.11, mode: master, peer: db3 }",
     "9:50: hosts.db1.peer: db3 is a replica; the peer is the other master"},
    {9, "  db1: { address: 10.0.0.11, mode: master, peer: db9 }",
     "9:50: hosts.db1.peer: there is no host \"db9\" under hosts; add it or correct the name"},
    {9, "  db1: { address: 10.0.0.12, mode: master, peer: db2 }",
     "10:19: hosts.db2.address: 10.0.0.12 port 3306, for MySQL on host db2, belongs to MySQL on host db1 already (line 9); change the address or the port of one of them"},
    {9, "  db1: { address: 10.0.0.300, mode: master, peer: db2 }",
     "9:19: hosts.db1.address: \"10.0.0.300\" is not an IP address; write it in numbers, such as 10.77.0.11 or 2001:db8::11 (names are not looked up)"},
    {9, "  db1: { address: 0.0.0.0, mode: master, peer: db2 }",
     "9:19: hosts.db1.address: 0.0.0.0 means no host"},
    {9, "  db1: { address: \"ff02::1\", mode: master, peer: db2 }",
     "9:19: hosts.db1.address: ff02::1 is not the address of one host"},
    {9, "  db1: { address: \"::ffff:10.0.0.1\", mode: master, peer: db2 }",
     "9:19: hosts.db1.address: ::ffff:10.0.0.1 is an IPv4 address in disguise; write it as one"},
    {9, "  db1: { address: 10.0.0.11, mode: master, peer: db2, agent_port: 0, interface: a/b }",
     "9:67: hosts.db1.agent_port: \"0\" is not a port; write a whole number from 1 to 65535\n" "9:81: hosts.db1.interface: \"a/b\" is not the name of a network interface; they have 1 to 15 characters and no blank, slash, colon or percent sign (\"ip link\" lists them)"},
    {9, "  db1: { address: 10.0.0.11, mode: master, peer: db2, interface: abcdefghijklmnop }",
     "9:66: hosts.db1.interface: \"abcdefghijklmnop\" is not the name of a network interface; they have 1 to 15 characters and no blank, slash, colon or percent sign (\"ip link\" lists them)"},
    {9, "  db1: { address: 10.0.0.11, mode: master, peer: db2, agent_port: 3306 }",
     "9:19: hosts.db1.address: 10.0.0.11 port 3306, for the agent of host db1, belongs to MySQL on host db1 already (line 9); change the address or the port of one of them"},
    {9, "  db1: { address: 10.0.0.11, mode: master, peer: db2, replication_address: 10.0.0.12 }",
     "10:19: hosts.db2.address: 10.0.0.12 port 3306, for MySQL on host db2, belongs to MySQL on host db1 already (line 9); change the address or the port of one of them"},
    {9, "  db1: { address: 10.0.0.11, mode: master, peer: db2, replication_address: 10.0.0.103 }",
     "14:59: roles.reader.ips: 10.0.0.103 belongs to MySQL on host db1 already (line 9); an address of a role belongs to nobody else"},
    {9, "  db1: { address: 10.0.0.11, mode: master, peer: db2, mysql: { port: 1, agent: { password: \"\" } } }",
     "9:92: hosts.db1.mysql.agent.password: is empty; fill it in"},
    {9, "  all: { address: 10.0.0.21, mode: replica }\n  db1: { address: 10.0.0.11, mode: master, peer: db2 }",
     "9:3: hosts.all: \"all\" means every host in commands; choose another name"},
    {9, "  db.1: { address: 10.0.0.21, mode: replica }\n  db1: { address: 10.0.0.11, mode: master, peer: db2 }",
     "9:3: hosts.db.1: \"db.1\" is not a name; use 1 to 32 letters, digits, - and _"},
    {9, "  db4: { address: 10.0.0.14, mode: master, peer: db2 }\n  db1: { address: 10.0.0.11, mode: master, peer: db2 }",
     "9:50: hosts.db4.peer: db2 names db1 as its peer; two masters must name each other"},
    {11, "  db3: { address: 10.0.0.13, mode: replica, peer: db1 }",
     "11:45: hosts.db3.peer: only masters have a peer; take it out or make db3 a master"},
    {11, "  db3: { address: 10.0.0.13, mode: replica, adress: x }",
     "11:45: hosts.db3.adress: unknown key; did you mean address?"},
    {11, "  db3: { address: 10.0.0.13, mode: replica, ip: x }",
     "11:45: hosts.db3.ip: unknown key; known here: address, mode, peer, agent_port, interface, replication_address, mysql"},
    {12, "rolls:",
     "1:1: roles is missing; add one, such as roles: { writer: { mode: exclusive, hosts: [db1, db2], ips: [10.77.0.100/24] } }\n" "12:1: rolls: unknown key; did you mean roles?"},
    {13, "  writer: { mode: exclusive, hosts: [db1, db3], ips: [10.0.0.100/24] }",
     "13:43: roles.writer.hosts: db3 is a replica and cannot have the active master role; take it out or make it a master"},
    {13, "  writer: { mode: exclusive, hosts: [db1, db7], ips: [10.0.0.100/24] }",
     "13:43: roles.writer.hosts: there is no host \"db7\" under hosts; add it or correct the name"},
    {13, "  writer: { mode: exclusive, hosts: [db1, db1], ips: [10.0.0.100/24] }",
     "13:43: roles.writer.hosts: db1 is in the list already; take it out"},
    {13, "  writer: { mode: exclusive, hosts: [], ips: [] }",
     "13:37: roles.writer.hosts: is empty; name the hosts that may have this role\n" "13:46: roles.writer.ips: 0 addresses; a role has 1 to 1024"},
    {13, "  writer: { mode: exclusive }",
     "13:3: roles.writer: hosts is missing; add one, such as hosts: [db1, db2]\n" "13:3: roles.writer: ips is missing; add one, such as ips: [10.77.0.100/24]"},
    {13, "  writer: { mode: exclusive, hosts: db1, ips: 10.0.0.100/24 }",
     "13:37: roles.writer.hosts: must be a list, such as [db1, db2]\n" "13:47: roles.writer.ips: must be a list, such as [10.77.0.100/24]"},
    {13, "  writer: { mode: balanced, hosts: [db1, db2], ips: [10.0.0.100/24] }",
     "15:21: active_master_role: writer is a balanced role; only one host may be written to, so give writer mode: exclusive or name another role"},
    {13, "  writer: { mode: shared, hosts: [db1, db2], ips: [10.0.0.100/24] }",
     "13:19: roles.writer.mode: \"shared\" is not possible here; choose one of: exclusive, balanced"},
    {13, "  writer: { mode: exclusive, hosts: [db1], ips: [10.0.0.100/24], prefer: db2 }",
     "13:74: roles.writer.prefer: db2 is not among the hosts of this role; add it there or prefer another"},
    {13, "  writer: { mode: exclusive, hosts: [db1], ips: [10.0.0.100/24], prefer: db8 }",
     "13:74: roles.writer.prefer: there is no host \"db8\" under hosts; add it or correct the name"},
    {13, "  writer: { mode: exclusive, hosts: [db1, db2], ips: [10.0.0.100] }",
     "13:55: roles.writer.ips: 10.0.0.100 has no prefix length; write it with the one of its network, such as 10.0.0.100/24"},
    {13, "  writer: { mode: exclusive, hosts: [db1, db2], ips: [10.0.0.100/33, 10.0.0.99/, 10.0.0.98/x, \"fd00::1/129\", \"fd00::9\"] }",
     "13:55: roles.writer.ips: \"/33\" is not a prefix length; it must be from /1 to /32\n" "13:70: roles.writer.ips: \"/\" is not a prefix length; it must be from /1 to /32\n" "13:82: roles.writer.ips: \"/x\" is not a prefix length; it must be from /1 to /32\n" "13:95: roles.writer.ips: \"/129\" is not a prefix length; it must be from /1 to /128\n" "13:110: roles.writer.ips: fd00::9 has no prefix length; write it with the one of its network, such as fd00::9/64"},
    {13, "  writer: { mode: exclusive, hosts: [db1, db2], ips: [10.0.0.0/24, 10.0.0.255/24, \"fd00::/64\"] }",
     "13:55: roles.writer.ips: \"10.0.0.0/24\" is the first address of that network and not one of its hosts\n" "13:68: roles.writer.ips: \"10.0.0.255/24\" is the broadcast address of that network and not one of its hosts\n" "13:83: roles.writer.ips: \"fd00::/64\" is the first address of that network and not one of its hosts"},
    {13, "  writer: { mode: exclusive, hosts: [db1, db2], ips: [10.0.0.100/24, 10.0.0.100/16] }",
     "13:70: roles.writer.ips: 10.0.0.100 belongs to role writer already (line 13); an address of a role belongs to nobody else"},
    {13, "  writer: { mode: exclusive, hosts: [db1, db2], ips: [10.0.0.103/24] }",
     "14:59: roles.reader.ips: 10.0.0.103 belongs to role writer already (line 13); an address of a role belongs to nobody else"},
    {13, "  writer: { mode: exclusive, hosts: [db1, db2], ips: [10.0.0.1/24, 10.0.0.11/24] }",
     "13:55: roles.writer.ips: 10.0.0.1 belongs to monitor mon1 already (line 3); an address of a role belongs to nobody else\n" "13:68: roles.writer.ips: 10.0.0.11 belongs to MySQL on host db1 already (line 9); an address of a role belongs to nobody else"},
    {13, "  writer: { mode: exclusive, hosts: [db1, db2], ips: [{ interface: eth0 }, { ip: 10.0.0.100/24, interface: \"\", via: x }] }",
     "13:55: roles.writer.ips: ip is missing; add one, such as ip: 10.77.0.100/24\n" "13:108: roles.writer.ips.interface: \"\" is not the name of a network interface; they have 1 to 15 characters and no blank, slash, colon or percent sign (\"ip link\" lists them)\n" "13:112: roles.writer.ips.via: unknown key; did you mean ip?"},
    {13, "  writer: { mode: exclusive, hosts: [db1, db2], ips: [[10.0.0.100/24]] }",
     "13:55: roles.writer.ips: must be one value, not a list"},
    {13, "  writer: { mode: exclusive, hosts: [db1, db2], ips: [10.0.0.100/24], last_resort: keep }",
     "13:71: roles.writer.last_resort: only balanced roles have one; take it out"},
    {13, "  writer: { mode: exclusive, hosts: [db1, db2], ips: [10.0.0.100/24], vip: { command: [] } }",
     "13:87: roles.writer.vip.command: names no program; put its path first"},
    {13, "  writer: { mode: exclusive, hosts: [db1, db2], ips: [10.0.0.100/24], vip: {} }",
     "13:71: roles.writer.vip: command is missing; add one, such as command: [/usr/local/bin/move-address]"},
    {13, "  writer: { mode: exclusive, hosts: [db1, db2], ips: [10.0.0.100/24], vip: { command: move } }",
     "13:87: roles.writer.vip.command: must be a list, such as [/usr/local/bin/move-address, --zone, a]"},
    {13, "  writer: { mode: exclusive, hosts: [db1, db2], ips: [10.0.0.100/24], failover: { lease: 100ms, data_los: allow } }",
     "13:90: roles.writer.failover.lease: 100ms is too short; it must be at least 500ms\n" "13:97: roles.writer.failover.data_los: unknown key; did you mean data_loss?"},
    {13, "  writer: { mode: exclusive, hosts: [db1, db2], ips: [10.0.0.100/24], failover: { lease: 1s } }\nfailover: { gate: lifetime, lease: 4s }\nroles2:",
     "13:90: roles.writer.failover.lease: with gate lifetime the kernel counts in seconds and the lease must be at least 3s, not 1s; set lease: 3s or use gate nft\n" "15:1: roles2: unknown key; did you mean roles?"},
    {14, "  reader: { mode: balanced, hosts: [db1, db2, db3], ips: [10.0.0.103/24, 10.0.0.104/24], prefer: db3 }",
     "14:90: roles.reader.prefer: a balanced role is spread over all of its hosts; take prefer out or make the role exclusive"},
    {14, "  reader: { mode: balanced, hosts: [db1, db2, db3], ips: [10.0.0.103/24, 10.0.0.103/24] }",
     "14:74: roles.reader.ips: 10.0.0.103 belongs to role reader already (line 14); an address of a role belongs to nobody else"},
    {14, "  reader: { mode: balanced, hosts: [db1, db2, db3], ips: [10.0.0.103/24, 10.0.0.104/24], last_resort: all }",
     "14:103: roles.reader.last_resort: \"all\" is not possible here; choose one of: writer, keep, none"},
    {15, "",
     "1:1: active_master_role is missing; add one, such as active_master_role: writer (the role that means \"writable\")"},
    {15, "active_master_role: reader",
     "14:47: roles.reader.hosts: db3 is a replica and cannot have the active master role; take it out or make it a master\n" "15:21: active_master_role: reader is a balanced role; only one host may be written to, so give reader mode: exclusive or name another role"},
    {15, "active_master_role: wrter",
     "15:21: active_master_role: there is no role \"wrter\" under roles; add it or correct the name"},
    {15, "active_master_role: [writer]",
     "15:21: active_master_role: must be one value, not a list"},
    {16, "checks: { pong: {} }",
     "16:11: checks.pong: unknown key; did you mean ping?"},
    {16, "checks: { ping: { period: 5 } }",
     "16:27: checks.ping.period: \"5\" is not a duration; write a whole number and its unit, such as 200ms, 3s, 5m or 1h"},
    {16, "checks: { ping: { period: 5 s, timeout: 1.5s, trap_period: 0s } }",
     "16:27: checks.ping.period: \"5 s\" is not a duration; write a whole number and its unit, such as 200ms, 3s, 5m or 1h\n" "16:41: checks.ping.timeout: \"1.5s\" is not a duration; write a whole number and its unit, such as 200ms, 3s, 5m or 1h\n" "16:60: checks.ping.trap_period: 0s is too short; it must be at least 50ms"},
    {16, "checks: { rep_threads: { max_backlog: 3s } }",
     "16:26: checks.rep_threads.max_backlog: unknown key; known here: period, trap_period, timeout"},
    {16, "checks: { mysql: { period: 2h, timeout: 99999999999999999999s } }",
     "16:28: checks.mysql.period: 2h is too long; it must be at most 1h\n" "16:41: checks.mysql.timeout: \"99999999999999999999s\" is not a duration; write a whole number and its unit, such as 200ms, 3s, 5m or 1h"},
    {16, "failover: { lease: 499ms }",
     "16:20: failover.lease: 499ms is too short; it must be at least 500ms"},
    {16, "failover: { gate: lifetime }",
     "16:19: failover.gate: with gate lifetime the kernel counts in seconds and the lease must be at least 3s, not 2s; set lease: 3s or use gate nft"},
    {16, "failover: { gate: lifetime, lease: 2999ms }",
     "16:36: failover.lease: with gate lifetime the kernel counts in seconds and the lease must be at least 3s, not 2999ms; set lease: 3s or use gate nft"},
    {16, "failover: { gate: nft, lease: 1h }",
     "16:31: failover.lease: 1h is too long; it must be at most 10m"},
    {16, "failover: { mode: on, gate: x, on_crash: x, on_monitor_loss: x, data_loss: x }",
     "16:19: failover.mode: \"on\" is not possible here; choose one of: active, manual, passive, wait\n" "16:29: failover.gate: \"x\" is not possible here; choose one of: auto, nft, lifetime\n" "16:42: failover.on_crash: \"x\" is not possible here; write failover, or the time that mysqld is given to come back, such as 20s\n" "16:62: failover.on_monitor_loss: \"x\" is not possible here; choose one of: promise, keep, fence\n" "16:76: failover.data_loss: \"x\" is not possible here; choose one of: never, salvage, allow"},
    {16, "failover: { careful_startup: maybe, kill_hung_mysqld: 1, flap_count: -1 }",
     "16:30: failover.careful_startup: \"maybe\" is neither true nor false\n" "16:55: failover.kill_hung_mysqld: \"1\" is neither true nor false\n" "16:70: failover.flap_count: \"-1\" is not possible here; write a whole number from 0 to 1000"},
    {16, "failover: { catch_up_timeout: 0s, switchover_budget: 0s, flap_duration: 0s }",
     "16:31: failover.catch_up_timeout: 0s is too short; it must be at least 100ms\n" "16:54: failover.switchover_budget: 0s is too short; it must be at least 100ms\n" "16:73: failover.flap_duration: 0s is too short; it must be at least 1s"},
    {16, "failover: { ping_ips: 10.0.0.254 }",
     "16:23: failover.ping_ips: must be a list, such as [10.77.0.254]"},
    {16, "failover: { ping_ips: [gw] }",
     "16:24: failover.ping_ips: \"gw\" is not an IP address; write it in numbers, such as 10.77.0.11 or 2001:db8::11 (names are not looked up)"},
    {16, "failover:",
     "16:1: failover: there is nothing below it; fill it in or take the key out"},
    {16, "failover: []",
     "16:11: failover: must be a mapping, such as { key: value }"},
    {16, "failover: { on_crash: 5 }",
     "16:23: failover.on_crash: \"5\" is not a duration; write a whole number and its unit, such as 200ms, 3s, 5m or 1h"},
    {16, "state_dir: \"\"",
     "16:12: state_dir: is empty; fill it in or take it out"},
    {16, "control_socket: /run/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     "16:17: control_socket: \"/run/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\" has 115 bytes; at most 107 are possible"},
    {16, "http: { listen: \":9990\" }",
     "16:17: http.listen: \":9990\" is not possible; write an address and a port, such as \"127.0.0.1:9990\" or \"[::1]:9990\""},
    {16, "http: { listen: \"::1:9990\" }",
     "16:17: http.listen: \"::1:9990\" is not possible; write an address and a port, such as \"127.0.0.1:9990\" or \"[::1]:9990\""},
    {16, "http: {}",
     "16:1: http: listen is missing; add one, such as listen: \"127.0.0.1:9990\""},
    {16, "http: { listen: \"localhost:80\" }",
     "16:17: http.listen: \"localhost\" is not an IP address; write it in numbers, such as 10.77.0.11 or 2001:db8::11 (names are not looked up)"},
    {16, "https: {}",
     "16:1: https: unknown key; did you mean http?"},
    {16, "include: other.yaml",
     "16:1: include: unknown key; known here: cluster, key_file, monitors, mysql, hosts, roles, active_master_role, checks, failover, state_dir, control_socket, http"},
    {16, "---\ncluster: two",
     "16:1: a second document starts here; one file is one cluster"},
    {16, "\ttab: 1",
     "16:1: this is not YAML: found a tab character that violates indentation while scanning a plain scalar that begins in line 15; correct it, the rest was not looked at"},
    {16, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 1",
     "16:1: a key of more than 64 bytes; is there a colon too many?"},
};
/* clang-format on */

static void write_file(struct buf *to, unsigned line, const char *instead)
{
    for (unsigned i = 0; i < ARRAY_LEN(good); i++)
        buf_addf(to, "%s\n", i + 1 == line ? instead : good[i]);
}

static void the_good_file_is_good(void **state)
{
    auto_buf text = BUF(CONF_TEXT_MAX);
    struct conf_errors errs = {0};
    struct conf *c = NULL;

    (void)state;
    write_file(&text, 0, NULL);
    assert_int_equal(conf_parse(&c, text.at, text.len, "f", &errs), 0);
    assert_int_equal(errs.n, 0);
    assert_int_equal(c->warnings.n, 0);
    conf_free(c);
}

static void each_mistake_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf text = BUF(CONF_TEXT_MAX), said = BUF(CONF_TEXT_MAX);
        struct conf_errors errs = {0};
        struct conf *c = NULL;

        write_file(&text, cases[i].line, cases[i].instead);
        assert_int_not_equal(conf_parse(&c, text.at, text.len, "f", &errs), 0);
        assert_null(c);
        for (size_t k = 0; k < errs.n; k++)
            buf_addf(&said, "%s%s", k ? "\n" : "", errs.at[k].text + strlen("f:"));
        assert_string_equal(said.at, cases[i].said);
        conf_errors_free(&errs);
    }
}

static void expect(const char *text, size_t len, const char *said)
{
    struct conf_errors errs = {0};
    struct conf *c = NULL;

    assert_int_not_equal(conf_parse(&c, text, len, "f", &errs), 0);
    assert_int_equal(errs.n, 1);
    assert_string_equal(errs.at[0].text, said);
    conf_errors_free(&errs);
}

static void what_is_no_yaml_at_all(void **state)
{
    static char large[CONF_TEXT_MAX + 1];

    (void)state;
    expect("", 0, "f:1:1: the file must be a mapping that starts with \"cluster: NAME\"");
    expect("[a]", 3, "f:1:1: the file must be a mapping that starts with \"cluster: NAME\"");
    expect(
        "a: 1\nb: \"\xc3\xa9\xff\"", 12,
        "f:2:6: this is not YAML: invalid leading UTF-8 octet; correct it, the rest was not looked "
        "at");
    expect(large, sizeof large, "f: is larger than 1 MiB; is it the right file?");
    memset(large, '[', sizeof large);
    expect(large, CONF_TEXT_MAX, "f:1:13: nested too deeply; nothing in this file needs that");
    memset(large, '\n', sizeof large);
    memcpy(large, "a: [", 4);
    for (size_t i = 4; i < 10000; i += 2)
        memcpy(large + i, "a,", 2);
    expect(large, 10000, "f:1:4101: too many values; nothing in this file needs that");
}

/* The list keeps what comes first in the file, whatever was found first. */
static void the_list_is_bounded(void **state)
{
    auto_buf text = BUF(CONF_TEXT_MAX);
    struct conf_errors errs = {0};
    struct conf *c = NULL;
    FILE *to;
    char *written = NULL;
    size_t len = 0;

    (void)state;
    buf_addf(&text, "active_master_role: none\nroles: {}\n");
    for (int i = 0; i < 300; i++)
        buf_addf(&text, "zzz%d: 1\n", i);
    assert_int_not_equal(conf_parse(&c, text.at, text.len, "f", &errs), 0);
    assert_int_equal(errs.n, CONF_ERRORS_MAX);
    assert_true(errs.more > 200);
    for (size_t i = 1; i < errs.n; i++)
        assert_true(errs.at[i - 1].line <= errs.at[i].line);
    assert_string_equal(errs.at[4].text, "f:2:1: roles: 0 roles; there must be 1 to 64");
    to = open_memstream(&written, &len);
    conf_errors_write(&errs, to);
    fclose(to);
    assert_non_null(strstr(written, "\nand 20"));
    free(written);
    conf_errors_free(&errs);
    conf_errors_free(&errs);
    assert_int_equal(errs.n, 0);
}

static void many_hosts(struct buf *text, unsigned n_hosts, unsigned n_ips)
{
    buf_addf(text, "cluster: c\nkey_file: k\nmonitors: {m: {address: 192.0.2.1}}\n"
                   "mysql:\n  monitor: {user: u, password: p}\n  agent: {user: u, password: p}\n"
                   "  replication: {user: u, password: p}\nactive_master_role: w\nhosts:\n"
                   "  db0: {address: 192.0.2.2, mode: master}\n");
    for (unsigned i = 1; i < n_hosts; i++)
        buf_addf(text, "  db%u: {address: 10.1.%u.%u, mode: slave}\n", i, i / 250, i % 250 + 1);
    buf_addf(text, "roles:\n  w: {mode: exclusive, hosts: [db0], ips: [\"2001:db8::1/64\"");
    for (unsigned i = 1; i < n_ips; i++)
        buf_addf(text, ", 10.2.%u.%u/16", i / 250, i % 250 + 1);
    buf_addf(text, "]}\n");
}

static void limits(void **state)
{
    auto_buf most = BUF(CONF_TEXT_MAX), hosts = BUF(CONF_TEXT_MAX), ips = BUF(CONF_TEXT_MAX);
    struct conf_errors errs = {0};
    struct conf *c = NULL;

    (void)state;
    many_hosts(&most, CONF_HOSTS_MAX, CONF_IPS_MAX);
    assert_int_equal(conf_parse(&c, most.at, most.len, "f", &errs), 0);
    assert_int_equal(c->n_hosts, CONF_HOSTS_MAX);
    assert_int_equal(c->roles[0].n_ips, CONF_IPS_MAX);
    conf_free(c);
    c = NULL;
    many_hosts(&hosts, CONF_HOSTS_MAX + 1, 1);
    assert_int_not_equal(conf_parse(&c, hosts.at, hosts.len, "f", &errs), 0);
    assert_string_equal(errs.at[0].text, "f:9:1: hosts: 1001 hosts; there must be 1 to 1000");
    conf_errors_free(&errs);
    many_hosts(&ips, 1, CONF_IPS_MAX + 1);
    expect(ips.at, ips.len, "f:12:43: roles.w.ips: 1025 addresses; a role has 1 to 1024");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_good_file_is_good),
        cmocka_unit_test(each_mistake_is_named),
        cmocka_unit_test(what_is_no_yaml_at_all),
        cmocka_unit_test(the_list_is_bounded),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
