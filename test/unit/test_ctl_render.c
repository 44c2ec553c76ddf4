/* SPDX-License-Identifier: GPL-2.0-or-later
 * What `hamm ctl status` shows. The monitor's JSON is written with ' for ". */
#include "ctl/render.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* clang-format off */
#define OK "{'ok':true,'since':'2026-03-01T11:00:00.000Z','message':'OK','result':'OK'}"
#define CHECKS(threads, backlog) \
    "'checks':{'ping':" OK ",'mysql':" OK ",'rep_threads':" threads ",'rep_backlog':" backlog "},"
#define HEAD(health, why) \
    "{'schema':1,'cluster':'shop','time':'2026-03-01T12:00:00.000Z','mode':'active'," \
    "'monitor':'mon1','reigning':true,'passive_why':'','epoch':7,'health':'" health "'," \
    "'why':[" why "],'active_master_role':'writer',"
#define DB1 \
    "{'name':'db1','address':'10.77.0.11','mode':'master','state':'ONLINE'," \
    "'since':'2026-03-01T11:56:48.000Z','agent':'up'," \
    "'roles':[{'role':'writer','ip':'10.77.0.100'}],'read_only':false,'source':null," \
    "'lag_s':null,'gtid':'0-1-1234'," CHECKS(OK, OK) "'gate':'nft','mysqld':'up'," \
    "'problem':'','extra_gtid':'','flapping':false}"
#define DB2 \
    "{'name':'db2','address':'10.77.0.12','mode':'master','state':'ONLINE'," \
    "'since':'2026-02-20T10:00:00.000Z','agent':'up'," \
    "'roles':[{'role':'reader','ip':'10.77.0.103'},{'role':'reader','ip':'10.77.0.104'}]," \
    "'read_only':true,'source':'db1','lag_s':1.5," \
    "'gtid':'3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77'," CHECKS(OK, OK) \
    "'gate':'lifetime','mysqld':'up','problem':'','extra_gtid':'','flapping':false}"
#define DB3 \
    "{'name':'db3','address':'10.77.0.13','mode':'replica','state':'REPLICATION_FAIL'," \
    "'since':'2026-03-01T11:59:48.000Z','agent':'down','roles':[],'read_only':null," \
    "'source':null,'lag_s':null,'gtid':null," \
    CHECKS("{'ok':false,'since':'2026-03-01T11:59:38.000Z'," \
           "'message':'ERROR: SQL thread stopped: error 1062','result':'ERROR'}", \
           "{'ok':true,'since':null,'message':'lag is unknown','result':'UNKNOWN'}") \
    "'gate':null,'mysqld':'dead','mysqld_why':'mariadbd (pid 6) is exiting','problem':'cannot follow db1','extra_gtid':'0-3-17'," \
    "'flapping':true}"
#define ROLES(writer, held) \
    "'roles':[{'name':'writer','mode':'exclusive','ip':'10.77.0.100','host':" writer "," \
    "'held':" held ",'waiting':''},{'name':'reader','mode':'balanced','ip':'10.77.0.105'," \
    "'host':null,'held':false,'waiting':'no candidate is ONLINE'}]}"
/* clang-format on */

static void is_page(const char *text, bool colour, int health, const char *wanted)
{
    enum render_health got = 1;
    auto_buf out = BUF(65536);
    struct err e = {0};
    char json[8192];

    strcpy(json, text);
    for (char *at = json; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    if (render_status(&out, json, strlen(json), colour, &got, &e))
        fail_msg("%s", e.msg);
    assert_string_equal(out.at, wanted);
    assert_int_equal(got, health);
}

/* clang-format off */
static void one_look_tells(void **state)
{
    (void)state;
    is_page(HEAD("degraded",
                 "'nobody holds reader/10.77.0.105',"
                 "'db3 is REPLICATION_FAIL: agent not reachable, rep_threads bad'")
            "'writer':'db1','move':null,'hosts':[" DB1 "," DB2 "," DB3 "],"
            ROLES("'db1'", "true"), false, 10,
        "cluster shop   mode active   monitor mon1 (reigning)   epoch 7\n"
        "DEGRADED: nobody holds reader/10.77.0.105\n"
        "          db3 is REPLICATION_FAIL: agent not reachable, rep_threads bad\n"
        "writer db1 (10.77.0.11) at 10.77.0.100\n"
        "\n"
        "HOST  ADDRESS     MODE     STATE             SINCE  AGENT  READ-ONLY  LAG   SOURCE  "
          "GTID                            ROLES\n"
        "db1   10.77.0.11  master   ONLINE            3m12s  up     no         -     -       "
          "0-1-1234                        writer(10.77.0.100)\n"
        "db2   10.77.0.12  master   ONLINE            9d02h  up     yes        1.5s  db1     "
          "3e11fa47-71ca-..aa9429562:1-77  reader(10.77.0.103), reader(10.77.0.104)\n"
        "      gate: no nf_tables there, the kernel ends leases by whole seconds\n"
        "db3   10.77.0.13  replica  REPLICATION_FAIL  12s    down   ?          -     -       "
          "-                               -\n"
        "      rep_threads bad for 22s: SQL thread stopped: error 1062\n"
        "      rep_backlog now UNKNOWN: lag is unknown\n"
        "      mysqld: mariadbd (pid 6) is exiting\n"
        "      problem: cannot follow db1\n"
        "      transactions nobody else has: 0-3-17\n"
        "      flapping: it failed too often and stays out until it is set online\n"
        "      next: is the host up? There: systemctl status hamm-agent@shop\n"
        "\n"
        "nobody has reader 10.77.0.105: no candidate is ONLINE\n");
}

#define HOST(name, state, more) \
    "{'name':'" name "','address':'10.77.0.11','mode':'master','state':'" state "'," \
    "'since':'2026-03-01T11:59:48.000Z','agent':'up','roles':[],'read_only':true," \
    "'gtid':'0-1-9','checks':{},'gate':'nft','mysqld':'up','problem':''," more "}"

static void what_to_do_next(void **state)
{
    (void)state;
    is_page(HEAD("degraded", "'a','b','c','d','e','f','g','h'") "'writer':'w','move':null,'hosts':["
            HOST("w", "ONLINE", "'source':'b','receiver':'no','applier':false") ","
            HOST("b", "AWAITING_RECOVERY", "'source':'w','receiver':'no','applier':false") ","
            HOST("c", "ADMIN_OFFLINE", "'source':'w','receiver':'no','applier':true,"
                 "'barred':'c has log_bin off','semi_sync':{'warning':'it is off'}") ","
            HOST("d", "REPLICATION_FAIL", "'source':'w','receiver':'yes','applier':false") ","
            HOST("e", "REPLICATION_FAIL", "'source':'w','receiver':'connecting','applier':true,"
                 "'extra_gtid':'0-5-7','quarantine':{'file':'/q/e.binlog','why':''}") "],'roles':[]}", false, 10,
        "cluster shop   mode active   monitor mon1 (reigning)   epoch 7\n"
        "DEGRADED: a\n          b\n          c\n          d\n          e\n          f\n"
        "          and 2 more\n"
        "writer w (10.77.0.11) at\n"
        "\n"
        "HOST  ADDRESS     MODE    STATE              SINCE  AGENT  READ-ONLY  LAG  SOURCE        "
          "    GTID   ROLES\n"
        "w     10.77.0.11  master  ONLINE             12s    up     yes        -    -             "
          "    0-1-9  -\n"
        "b     10.77.0.11  master  AWAITING_RECOVERY  12s    up     yes        ?    w (stopped)   "
          "    0-1-9  -\n"
        "      next: hamm ctl set-online b\n"
        "c     10.77.0.11  master  ADMIN_OFFLINE      12s    up     yes        ?    w (not receive"
          "d)  0-1-9  -\n"
        "      never the writer by itself: c has log_bin off\n"
        "      semi-sync: it is off\n"
        "      next: when the maintenance is over: hamm ctl set-online c\n"
        "d     10.77.0.11  master  REPLICATION_FAIL   12s    up     yes        ?    w (not applied"
          ")   0-1-9  -\n"
        "      next: mend its replication (SHOW SLAVE STATUS there) or set it up anew; it is back "
          "by itself when it replicates\n"
        "e     10.77.0.11  master  REPLICATION_FAIL   12s    up     yes        ?    w (connecting)"
          "    0-1-9  -\n"
        "      transactions nobody else has: 0-5-7\n"
        "      they are kept there in: /q/e.binlog\n"
        "      next: hamm ctl explain e: the commands to look, bring in or discard\n");
}

static void a_move_and_no_writer(void **state)
{
    (void)state;
    is_page(HEAD("no_writer", "'db2 shall hold writer and is not known to be open for writes'")
            "'writer':null,'move':{'role':'writer','from':'db1','to':'db2',"
            "'phase':'the new host takes over','for_ms':1234},'hosts':[" DB1 "],"
            ROLES("'db2'", "false"), false, 20,
        "cluster shop   mode active   monitor mon1 (reigning)   epoch 7\n"
        "NO WRITER: db2 shall hold writer and is not known to be open for writes\n"
        "moving writer from db1 to db2 for 1s: the new host takes over\n"
        "\n"
        "HOST  ADDRESS     MODE    STATE   SINCE  AGENT  READ-ONLY  LAG  SOURCE  GTID      RO"
          "LES\n"
        "db1   10.77.0.11  master  ONLINE  3m12s  up     no         -    -       0-1-1234  wr"
          "iter(10.77.0.100)\n"
        "\n"
        "not confirmed: writer 10.77.0.100 at db2\n"
        "nobody has reader 10.77.0.105: no candidate is ONLINE\n");
}

static void colours_do_not_move_columns(void **state)
{
    (void)state;
    is_page(HEAD("ok", "") "'writer':'db1','move':null,'hosts':[" DB1 "],'roles':[]}", true, 0,
        "cluster \033[1mshop\033[0m   mode active   monitor mon1 (reigning)   epoch 7\n"
        "\033[32mall well\033[0m\n"
        "writer \033[1mdb1\033[0m (10.77.0.11) at\n"
        "\n"
        "HOST  ADDRESS     MODE    STATE   SINCE  AGENT  READ-ONLY  LAG  SOURCE  GTID      RO"
          "LES\n"
        "db1   10.77.0.11  master  \033[32mONLINE\033[0m  3m12s  up     no         -    -       0-1"
          "-1234  writer(10.77.0.100)\n");
}

static void a_passive_monitor(void **state)
{
    (void)state;
    is_page("{'schema':1,'cluster':'shop','time':'2026-03-01T12:00:00.000Z','mode':'active',"
            "'monitor':'mon2','reigning':false,'passive_why':'db1 and db2 obey mon1','epoch':8,"
            "'health':'no_writer','why':['this monitor does not reign: db1 and db2 obey mon1'],"
            "'writer':null,'move':null,'hosts':[],'roles':[]}", false, 20,
        "cluster shop   mode active   monitor mon2 (does not reign)   epoch 8\n"
        "NO WRITER: this monitor does not reign: db1 and db2 obey mon1\n"
        "\n"
        "HOST  ADDRESS  MODE  STATE  SINCE  AGENT  READ-ONLY  LAG  SOURCE  GTID  ROLES\n");
}
/* clang-format on */

static void what_is_no_status(void **state)
{
    static const char *const no[] = {"", "{}", "[]", "{\"schema\":2}", "{\"schema\":1"};
    enum render_health health;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(no); i++) {
        auto_buf out = BUF(1000);
        struct err e = {0};
        assert_int_equal(render_status(&out, no[i], strlen(no[i]), false, &health, &e), -EPROTO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_look_tells),       cmocka_unit_test(what_to_do_next),
        cmocka_unit_test(a_move_and_no_writer), cmocka_unit_test(colours_do_not_move_columns),
        cmocka_unit_test(a_passive_monitor),    cmocka_unit_test(what_is_no_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
