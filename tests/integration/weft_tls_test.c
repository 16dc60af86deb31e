//  weft_tls_test.c - Redis behind TLS: the same promises, and nobody else.

#include "../unit/testing.h"

#include "certificates.h"
#include "cluster_private.h"
#include "weft_history.h"
#include "weft_log.h"

static char folder[64];
static char ca[96], client_pem[96], client_key[96], other[96];
static cluster_node_t node;  //  one Redis, no cluster, with both ports
static char secure[32], plain[32];

static weft_redis_config_t
trusting (void)
{
    return (weft_redis_config_t){
        .tls = true, .tls_ca = ca, .command_ms = 60000, .backoff_ms = 20
    };
}

static void
put_and_get (weft_redis_t *redis, const char *object, size_t size)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    uint8_t *blob = malloc (size);
    weft_history_t one = { .survey = weft_str ("ztf"),
                           .object_id = weft_str (object) };
    int rc;
    for (size_t i = 0; i < size; i++)
        blob[i] = (uint8_t)(i * 131 >> 3);
    //  While Redis restarts it is away for a moment.
    while ((rc = weft_history_get (batch, &one, 1)) == WEFT_EDOWN)
        nanosleep (&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    assert_int_equal (rc, 0);
    one.blob = blob;
    one.size = size;
    assert_int_equal (weft_history_put (batch, &one, 1), 0);
    assert_false (one.lost);
    assert_int_equal (weft_history_get (batch, &one, 1), 0);
    assert_int_equal (one.size, size);
    assert_memory_equal (one.blob, blob, size);
    free (blob);
    weft_batch_destroy (&batch);
}

static void
state_goes_through_tls (void **state)
{
    (void)state;
    weft_redis_config_t config = trusting ();
    weft_redis_t *redis = weft_redis_new (secure, &config);
    assert_int_equal (weft_redis_ping (redis), 0);
    put_and_get (redis, "small", 5);
    put_and_get (redis, "large", 3u << 20);
    kill (node.pid, SIGKILL);
    waitpid (node.pid, NULL, 0);
    cluster_private_launch (&node, false, folder);
    put_and_get (redis, "after", 100000);
    weft_redis_destroy (&redis);
}

//  Refused with words that name the reason.
static void
assert_refused (const char *address,
                const weft_redis_config_t *config,
                const char *words)
{
    weft_redis_t *redis = weft_redis_new (address, config);
    assert_non_null (redis);
    assert_int_equal (weft_redis_ping (redis), WEFT_EDOWN);
    if (!strstr (weft_redis_why (redis), words))
        fail_msg ("\"%s\" has no \"%s\"", weft_redis_why (redis), words);
    weft_redis_destroy (&redis);
}

static void
who_cannot_be_trusted_is_refused (void **state)
{
    (void)state;
    char name[32];
    weft_redis_config_t config = trusting ();
    config.tls_ca = other;
    assert_refused (secure, &config, "certificate");
    config.tls_ca = NULL;  //  the system's know it no better
    assert_refused (secure, &config, "certificate");
    config.tls_ca = ca;
    snprintf (name, sizeof name, "localhost:%d", node.tls_port);
    assert_refused (name, &config, "ostname mismatch");
    config.command_ms = 1000;  //  who speaks no TLS says nothing
    assert_refused (plain, &config, "TLS with 127.0.0.1");
}

static void
plain_text_is_refused_by_a_secure_port (void **state)
{
    (void)state;
    weft_redis_config_t config = { .command_ms = 1000 };
    weft_redis_t *redis = weft_redis_new (secure, &config);
    assert_int_equal (weft_redis_ping (redis), WEFT_EDOWN);
    weft_redis_destroy (&redis);
}

static void
who_must_show_a_certificate_shows_it (void **state)
{
    (void)state;
    weft_redis_config_t config = trusting ();
    cluster_private_must (&node, "CONFIG SET tls-auth-clients yes");
    weft_redis_t *redis = weft_redis_new (secure, &config);
    assert_int_equal (weft_redis_ping (redis), WEFT_EDOWN);
    weft_redis_destroy (&redis);
    config.tls_certificate = client_pem;
    config.tls_key = client_key;
    redis = weft_redis_new (secure, &config);
    assert_int_equal (weft_redis_ping (redis), 0);
    weft_redis_destroy (&redis);
    cluster_private_must (&node, "CONFIG SET tls-auth-clients optional");
}

static void
files_that_cannot_be_used_are_refused (void **state)
{
    (void)state;
    weft_redis_config_t config = trusting ();
    assert_null (weft_redis_new ("unix:/nowhere", &config));
    config.tls_ca = "/nowhere";
    assert_null (weft_redis_new (secure, &config));
    config.tls_ca = ca;
    config.tls_certificate = client_key;
    assert_null (weft_redis_new (secure, &config));
}

static void
who_hangs_is_not_waited_for (void **state)
{
    (void)state;
    weft_redis_config_t config = trusting ();
    config.command_ms = 1000;
    weft_redis_t *redis = weft_redis_new (secure, &config);
    assert_int_equal (weft_redis_ping (redis), 0);
    kill (node.pid, SIGSTOP);
    assert_int_equal (weft_redis_ping (redis), WEFT_EDOWN);
    assert_non_null (strstr (weft_redis_why (redis), "no answer in time"));
    kill (node.pid, SIGCONT);
    put_and_get (redis, "again", 10);
    weft_redis_destroy (&redis);
}

//  The operator's commands, by their environment.
static void
commands_speak_it (void **state)
{
    (void)state;
    const char *bin = getenv ("WEFT_BIN");
    char program[512];
    int status;
    snprintf (program, sizeof program, "%s/weft",
              bin ? bin : "build/debug/bin");
    for (int trusts = 0; trusts < 2; trusts++) {
        pid_t pid = fork ();
        if (pid == 0) {
            int null = open ("/dev/null", O_RDWR);
            dup2 (null, 1);
            dup2 (null, 2);
            setenv ("WEFT__REDIS__TLS", "true", 1);
            setenv ("WEFT__REDIS__TLS_CA", trusts ? ca : other, 1);
            execl (program, program, "ps", "--redis", secure, NULL);
            _exit (127);
        }
        assert_int_equal (waitpid (pid, &status, 0), pid);
        assert_true (WIFEXITED (status));
        assert_int_equal (WEXITSTATUS (status), trusts ? 0 : 1);
    }
}

static void
a_cluster_speaks_tls_as_well (void **state)
{
    (void)state;
    cluster_private_t cluster = { .tls = folder };
    weft_redis_config_t config = trusting ();
    cluster_private_start (&cluster, CLUSTER_MASTERS);
    weft_redis_t *redis = weft_redis_new (cluster.address, &config);
    assert_int_equal (weft_redis_ping (redis), 0);
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf (name, sizeof name, "o%d", i);
        put_and_get (redis, name, 1000);
    }
    assert_int_equal (weft_redis_counts (redis).masters, CLUSTER_MASTERS);
    weft_redis_destroy (&redis);
    cluster_private_stop (&cluster);
}

static void
name_files (void)
{
    snprintf (ca, sizeof ca, "%s/ca.pem", folder);
    snprintf (other, sizeof other, "%s/other.pem", folder);
    snprintf (client_pem, sizeof client_pem, "%s/client.pem", folder);
    snprintf (client_key, sizeof client_key, "%s/client.key", folder);
}

static int
start (void **state)
{
    (void)state;
    weft_log_init ("test", WEFT_ERROR + 1);
    if (!redis_private_installed ()) {
        fprintf (stderr, "SKIP: redis-server is not installed\n");
        exit (77);
    }
    snprintf (folder, sizeof folder, "/tmp/weft-tls-XXXXXX");
    if (!mkdtemp (folder))
        redis_private_fail ("mkdtemp");
    name_files ();
    certificate_t authority = certificates_make (folder, "ca", NULL, NULL);
    certificate_t unknown = certificates_make (folder, "other", NULL, NULL);
    certificate_t server =
        certificates_make (folder, "server", "IP:127.0.0.1", &authority);
    certificate_t client =
        certificates_make (folder, "client", NULL, &authority);
    certificate_t *all[] = { &authority, &unknown, &server, &client };
    for (size_t i = 0; i < 4; i++)
        certificates_free (all[i]);
    cluster_private_take_port (&node.port, &node.lock);
    cluster_private_take_port (&node.tls_port, &node.tls_lock);
    snprintf (node.folder, sizeof node.folder, "%s", folder);
    cluster_private_launch (&node, false, folder);
    snprintf (secure, sizeof secure, "127.0.0.1:%d", node.tls_port);
    snprintf (plain, sizeof plain, "127.0.0.1:%d", node.port);
    return 0;
}

static int
stop (void **state)
{
    (void)state;
    kill (node.pid, SIGKILL);
    waitpid (node.pid, NULL, 0);
    redis_private_remove (folder, 2);
    return 0;
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (state_goes_through_tls),
        cmocka_unit_test (who_cannot_be_trusted_is_refused),
        cmocka_unit_test (plain_text_is_refused_by_a_secure_port),
        cmocka_unit_test (who_must_show_a_certificate_shows_it),
        cmocka_unit_test (files_that_cannot_be_used_are_refused),
        cmocka_unit_test (who_hangs_is_not_waited_for),
        cmocka_unit_test (commands_speak_it),
        cmocka_unit_test (a_cluster_speaks_tls_as_well),
    };
    return cmocka_run_group_tests (tests, start, stop);
}
