//  Options: defaults, file, overrides, and errors that say where.

#include "testing.h"

#include <math.h>
#include <unistd.h>

#include "weft_config.h"

typedef struct {
    char *header;
} part_t;

typedef struct {
    char *kind;
    int64_t weight;
    weft_list_t parts;
} sink_t;

typedef struct {
    int64_t window;
    double rate;
    bool fast;
    char *bind;
    weft_texts_t outputs;
    weft_list_t sinks;
} options_t;

typedef struct {
    char *address;
} redis_t;

static const weft_option_t part_options[] = {
    WEFT_OPT_TEXT (part_t, header, "", "a list within a list"),
    WEFT_OPT_END,
};

static const weft_option_t sink_options[] = {
    WEFT_OPT_TEXT (sink_t, kind, NULL, "what it is"),
    WEFT_OPT_INT (sink_t, weight, "1", 1, 10, "", "share"),
    WEFT_OPT_LIST (sink_t, parts, part_options, part_t, "parts"),
    WEFT_OPT_END,
};

static const weft_option_t link_options[] = {
    WEFT_OPT_INT (options_t, window, "256", 1, 4096, "alerts", "window"),
    WEFT_OPT_REAL (options_t, rate, "0", 0, 1e6, "1/s", "pace"),
    WEFT_OPT_BOOL (options_t, fast, "false", "hurry"),
    WEFT_OPT_TEXT (options_t, bind, "127.0.0.1:0", "where to listen"),
    WEFT_OPT_TEXTS (options_t, outputs, "branches"),
    WEFT_OPT_LIST (options_t, sinks, sink_options, sink_t, "sinks"),
    WEFT_OPT_END,
};

static const weft_option_t redis_options[] = {
    WEFT_OPT_TEXT (redis_t, address, "127.0.0.1:6379", "host:port"),
    WEFT_OPT_END,
};

static char path[] = "weft-config-test.yaml";
static char why[512];
static options_t options;
static redis_t redis;
static weft_config_section_t sections[] = {
    { "link", link_options, &options, sizeof options },
    { "redis", redis_options, &redis, sizeof redis },
};

static int
load (const char *text)
{
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fputs (text, file);
    fclose (file);
    memset (&options, 0, sizeof options);
    memset (&redis, 0, sizeof redis);
    why[0] = '\0';
    return weft_config_load (path, sections, 2, why, sizeof why);
}

static void
refuses (const char *text, const char *place, const char *expected)
{
    assert_int_equal (load (text), WEFT_ECONFIG);
    if (!strstr (why, place) || !strstr (why, expected))
        fail_msg ("said: %s", why);
    assert_null (options.bind);
}

static void
defaults_without_a_file (void **state)
{
    (void)state;
    assert_int_equal (weft_config_load (NULL, sections, 2, why, sizeof why), 0);
    assert_int_equal (options.window, 256);
    assert_true (options.rate == 0);
    assert_false (options.fast);
    assert_string_equal (options.bind, "127.0.0.1:0");
    assert_int_equal (options.outputs.n, 0);
    assert_int_equal (options.sinks.n, 0);
    assert_string_equal (redis.address, "127.0.0.1:6379");
    weft_config_free (sections, 2);
    weft_config_free (sections, 2);
}

static void
a_file_with_everything (void **state)
{
    (void)state;
    assert_int_equal (load ("link:\n"
                            "  window: 512\n"
                            "  rate: 2.5e3\n"
                            "  fast: yes\n"
                            "  bind: \"*:5560\"\n"
                            "  outputs: [a, b]\n"
                            "  sinks:\n"
                            "    - kind: file\n"
                            "    - kind: kafka\n"
                            "      weight: 7\n"
                            "redis:\n"),
                      0);
    assert_int_equal (options.window, 512);
    assert_true (options.rate == 2500);
    assert_true (options.fast);
    assert_string_equal (options.bind, "*:5560");
    assert_int_equal (options.outputs.n, 2);
    assert_string_equal (options.outputs.items[1], "b");
    const sink_t *sinks = options.sinks.items;
    assert_int_equal (options.sinks.n, 2);
    assert_string_equal (sinks[0].kind, "file");
    assert_int_equal (sinks[0].weight, 1);
    assert_string_equal (sinks[1].kind, "kafka");
    assert_int_equal (sinks[1].weight, 7);
    assert_string_equal (redis.address, "127.0.0.1:6379");
    weft_config_free (sections, 2);
}

static void
empty_files_are_defaults (void **state)
{
    (void)state;
    static const char *const texts[] = { "", "# nothing\n", "---\n",
                                         "link:\nredis:\n",
                                         "link:\n  outputs:\n  sinks:\n" };
    for (size_t i = 0; i < WEFT_COUNT (texts); i++) {
        assert_int_equal (load (texts[i]), 0);
        assert_int_equal (options.window, 256);
        weft_config_free (sections, 2);
    }
}

static void
errors_name_file_line_field_and_expectation (void **state)
{
    (void)state;
    refuses ("link:\n  window: abc\n", "test.yaml:2: link.window: \"abc\"",
             "an integer from 1 to 4096 alerts");
    refuses ("redis:\nlink:\n  fast: no\n  window: 0\n", "yaml:4: link.window",
             "from 1 to 4096");
    refuses ("link:\n  rate: nan\n", "yaml:2: link.rate", "a number from 0");
    refuses ("link:\n  fast: maybe\n", "yaml:2: link.fast", "true or false");
    refuses ("link:\n  windo: 5\n", "yaml:2:", "expected one of: window rate");
    refuses ("lynk:\n", "yaml:1:", "expected one of: link redis");
    refuses ("link: 5\n", "yaml:1: link", "MAPPING");
    refuses ("link:\n  outputs: 5\n", "yaml:2: outputs", "SEQUENCE");
    refuses ("link:\n  window: [5]\n", "yaml:2: window", "STRING");
    refuses ("link:\n  bind: \"x\n", "yaml:2: bind", "end of stream");
    //  Where the text itself is broken, libcyaml knows no line.
    refuses ("link:\n  window: 5\n\n \tx\n", "yaml:4:", "libyaml");
    refuses ("link:\n  window: 5\n  bind: \xff\n", "yaml:3:", "UTF-8");
    refuses ("- a\n- b\n", "yaml:1:", "MAPPING");
    refuses ("link:\n  window: 5\n  window: 6\n", "yaml:", "already seen");
    refuses ("link:\n  sinks:\n    - kind: a\n      weight: 2\n"
             "    - kind: b\n      weight: 11\n",
             "yaml:6: link.sinks[1].weight: \"11\"", "from 1 to 10");
    refuses ("link:\n  sinks:\n    - weight: 2\n", "link.sinks[0].kind",
             "is missing, expected text: what it is");
    assert_int_equal (
        weft_config_load ("/nowhere/x.yaml", sections, 2, why, sizeof why),
        WEFT_ECONFIG);
    assert_non_null (strstr (why, "/nowhere/x.yaml: cannot be read"));
}

//  More keys than an error has room for: those most like the wrong one, each of
//  them whole.
static void
too_many_keys_end_at_a_whole_one (void **state)
{
    (void)state;
    static char names[60][32], least[] = "expected one of: key_43_of_many ";
    static weft_option_t many[61];
    for (size_t i = 0; i < 60; i++) {
        snprintf (names[i], sizeof names[i], "key_%zu_of_many", i);
        many[i] = link_options[4];
        many[i].key = names[i];
    }
    weft_config_section_t one[] = { { "link", many, &options, 8 } };
    assert_int_equal (load ("link:\n  key_43_of_mony: 1\n"), WEFT_ECONFIG);
    for (size_t room = 180; room <= sizeof why; room++) {
        assert_int_equal (weft_config_load (path, one, 1, why, room),
                          WEFT_ECONFIG);
        const char *key = strstr (why, least);
        if (!key)
            fail_msg ("%zu bytes: %s", room, why);
        for (key += sizeof least - 2; *key; key += strcspn (key, " ")) {
            unsigned number;
            int end = 0;
            key++;
            bool whole = sscanf (key, "key_%u_of_many%n", &number, &end) == 1 &&
                         end > 0 && (key[end] == ' ' || key[end] == 0);
            if (!whole && strcmp (key, "...") != 0)
                fail_msg ("%zu bytes: '%s' is no key", room, key);
        }
        assert_string_equal (why + strlen (why) - 4, " ...");
    }
}

//  Those of the list's elements.
static void
a_wrong_key_in_a_list (void **state)
{
    (void)state;
    refuses ("link:\n  sinks:\n    - knid: a\n", "yaml:3: sinks",
             "Unexpected key: knid; expected one of: kind weight");
}

static void
the_environment_wins (void **state)
{
    (void)state;
    setenv ("WEFT__LINK__WINDOW", "64", 1);
    setenv ("WEFT__LINK__OUTPUTS", " a-b, c ,,d", 1);
    setenv ("WEFT__REDIS__ADDRESS", "unix:/x", 1);
    assert_int_equal (load ("link:\n  window: 5\n  outputs: [z]\n"), 0);
    assert_int_equal (options.window, 64);
    assert_int_equal (options.outputs.n, 3);
    assert_string_equal (options.outputs.items[0], "a-b");
    assert_string_equal (options.outputs.items[1], "c");
    assert_string_equal (options.outputs.items[2], "d");
    assert_string_equal (redis.address, "unix:/x");
    weft_config_free (sections, 2);
    setenv ("WEFT__LINK__WINDOW", "x", 1);
    refuses ("", "WEFT__LINK__WINDOW: link.window: \"x\"", "an integer");
    unsetenv ("WEFT__LINK__WINDOW");
    setenv ("WEFT__LINK__SINKS", "x", 1);
    refuses ("", "WEFT__LINK__SINKS", "a list");
    unsetenv ("WEFT__LINK__SINKS");
    setenv ("WEFT__LINK__WINDO", "1", 1);
    refuses ("", "WEFT__LINK__WINDO: no such option", "--describe");
    unsetenv ("WEFT__LINK__WINDO");
    unsetenv ("WEFT__LINK__OUTPUTS");
    unsetenv ("WEFT__REDIS__ADDRESS");
}

static void
describes_itself (void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream (&text, &size);
    weft_config_describe (sections, 2, out);
    fclose (out);
    assert_non_null (strstr (text, "| `link.window` | an integer from 1"));
    assert_non_null (strstr (text, "| `link.sinks[].kind` | text | must be"));
    assert_non_null (strstr (text, "| `link.sinks[].parts[].header` | text"));
    free (text);
}

int
main (void)
{
    //  Of its own: another build's test may run beside this one.
    char folder[] = "/tmp/weft-config-XXXXXX";
    if (!mkdtemp (folder) || chdir (folder))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (defaults_without_a_file),
        cmocka_unit_test (a_file_with_everything),
        cmocka_unit_test (empty_files_are_defaults),
        cmocka_unit_test (errors_name_file_line_field_and_expectation),
        cmocka_unit_test (too_many_keys_end_at_a_whole_one),
        cmocka_unit_test (a_wrong_key_in_a_list),
        cmocka_unit_test (the_environment_wins),
        cmocka_unit_test (describes_itself),
    };
    int failed = cmocka_run_group_tests (tests, NULL, NULL);
    unlink (path);
    rmdir (folder);
    return failed;
}
