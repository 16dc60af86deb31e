//  weft_slot_test.c - slots as Redis counts them; redirects, good and bad.
//
//  The reference values are those of the Redis Cluster specification and of
//  CLUSTER KEYSLOT of Redis 7.0.15.

#include "testing.h"

#include "weft_slot.h"

static int
slot (const char *key)
{
    return weft_slot_of (key, strlen (key));
}

static void
crc16_has_the_reference_value (void **state)
{
    (void)state;
    assert_int_equal (weft_slot_crc16 ("123456789", 9), 0x31c3);
    assert_int_equal (weft_slot_crc16 ("", 0), 0);
}

static void
keys_are_in_the_slots_that_redis_says (void **state)
{
    (void)state;
    assert_int_equal (slot ("foo"), 12182);
    assert_int_equal (slot ("bar"), 5061);
    assert_int_equal (slot ("hello"), 866);
    assert_int_equal (slot (""), 0);
    assert_int_equal (weft_slot_of ("\0{\0}", 4), weft_slot_of ("\0", 1));
}

static void
only_the_tag_counts_if_there_is_one (void **state)
{
    (void)state;
    assert_int_equal (slot ("{user1000}.following"), slot ("user1000"));
    assert_int_equal (slot ("{user1000}.followers"), slot ("user1000"));
    assert_int_equal (slot ("foo{bar}{zap}"), slot ("bar"));
    assert_int_equal (slot ("foo{{bar}}zap"), slot ("{bar"));
    assert_int_not_equal (slot ("foo{}{bar}"), slot ("bar"));
    assert_int_equal (slot ("foo{}{bar}"), 8363);
    assert_int_not_equal (slot ("a{bar"), slot ("bar"));
    assert_int_not_equal (slot ("}bar{"), slot ("bar"));
}

static int
command_slot (const char *wire)
{
    weft_slot_command_t command;
    int rc = weft_slot_command ((const uint8_t *)wire, strlen (wire), &command);
    assert_int_equal (rc, 0);
    assert_int_equal (command.size, strlen (wire));
    return command.slot;
}

static void
the_first_key_of_a_command_says_its_slot (void **state)
{
    (void)state;
    assert_int_equal (command_slot ("*2\r\n$3\r\nGET\r\n$3\r\nfoo\r\n"), 12182);
    assert_int_equal (
        command_slot ("*4\r\n$7\r\nEVALSHA\r\n$2\r\nab\r\n$1\r\n1\r\n$3\r\n"
                      "bar\r\n"),
        5061);
    assert_int_equal (
        command_slot (
            "*4\r\n$4\r\nEVAL\r\n$2\r\nab\r\n$1\r\n0\r\n$3\r\nbar\r\n"),
        WEFT_SLOT_NONE);
    assert_int_equal (command_slot ("*1\r\n$4\r\nPING\r\n"), WEFT_SLOT_NONE);
}

static void
bytes_that_are_no_command_are_refused (void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "*",
        "*1\r\n",
        "*x\r\n$3\r\nGET\r\n",
        "*1\r\n$4\r\nGET\r\n",
        "*1\r\n$99999999999999999999\r\nGET\r\n",
        "*2\r\n$3\r\nGET\r\n",
        "$3\r\nGET\r\n",
        "*0\r\n",
        "*1\n$3\nGET\n",
    };
    weft_slot_command_t command;
    for (size_t i = 0; i < WEFT_COUNT (bad); i++)
        assert_int_equal (weft_slot_command ((const uint8_t *)bad[i],
                                             strlen (bad[i]), &command),
                          WEFT_EMALFORMED);
}

static void
redirects_are_read (void **state)
{
    (void)state;
    weft_redirect_t r = weft_redirect_read ("MOVED 3999 127.0.0.1:6381");
    assert_int_equal (r.kind, WEFT_REDIRECT_MOVED);
    assert_int_equal (r.slot, 3999);
    assert_string_equal (r.host, "127.0.0.1");
    assert_int_equal (r.port, 6381);
    r = weft_redirect_read ("ASK 16383 2001:db8::1:7000");
    assert_int_equal (r.kind, WEFT_REDIRECT_ASK);
    assert_string_equal (r.host, "2001:db8::1");
    assert_int_equal (r.port, 7000);
    r = weft_redirect_read ("MOVED 0 :6381");
    assert_int_equal (r.kind, WEFT_REDIRECT_MOVED);
    assert_string_equal (r.host, "");
    assert_int_equal (
        weft_redirect_read ("TRYAGAIN Multiple keys request").kind,
        WEFT_REDIRECT_AGAIN);
    assert_int_equal (weft_redirect_read ("CLUSTERDOWN The cluster is").kind,
                      WEFT_REDIRECT_DOWN);
}

static void
what_is_no_redirect_is_none (void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "ERR no such key",
        "MOVED",
        "MOVED x 127.0.0.1:1",
        "MOVED 16384 127.0.0.1:1",
        "MOVED -1 127.0.0.1:1",
        "MOVED 1 127.0.0.1:0",
        "MOVED 1 127.0.0.1:65536",
        "MOVED 1 127.0.0.1:1x",
        "MOVED 1 127.0.0.1",
        "ASK 1",
        "MOVEDX 1 127.0.0.1:1",
    };
    for (size_t i = 0; i < WEFT_COUNT (bad); i++)
        assert_int_equal (weft_redirect_read (bad[i]).kind, WEFT_REDIRECT_NONE);
    char text[400];
    snprintf (text, sizeof text, "MOVED 1 %0300d:1", 0);
    assert_int_equal (weft_redirect_read (text).kind, WEFT_REDIRECT_NONE);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (crc16_has_the_reference_value),
        cmocka_unit_test (keys_are_in_the_slots_that_redis_says),
        cmocka_unit_test (only_the_tag_counts_if_there_is_one),
        cmocka_unit_test (the_first_key_of_a_command_says_its_slot),
        cmocka_unit_test (bytes_that_are_no_command_are_refused),
        cmocka_unit_test (redirects_are_read),
        cmocka_unit_test (what_is_no_redirect_is_none),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
