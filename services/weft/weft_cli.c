//  weft_cli.c - connecting and printing for the operator's commands.

#include "weft_cli.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>

#include "weft_buf.h"
#include "weft_log.h"
#include "weft_tls.h"

static const char *
default_address (void)
{
    const char *address = getenv ("WEFT__REDIS__ADDRESS");
    return address && *address ? address : "127.0.0.1:6379";
}

//  Why no connection could be made of it; in the order in which it is tried.
static void
say_wrong (const char *command,
           const char *place,
           const weft_redis_config_t *login)
{
    const char *password = login->password_file;
    char why[256] = "it is empty", first[2];
    FILE *file = password && *password ? fopen (password, "re") : NULL;
    bool unread = password && *password && (!file || !fgets (first, 2, file));
    if (unread && !file)
        snprintf (why, sizeof why, "%s", strerror (errno));
    if (file)
        fclose (file);
    weft_tls_t *tls = unread || !login->tls
                          ? NULL
                          : weft_tls_new (login->tls_ca, login->tls_certificate,
                                          login->tls_key, why, sizeof why);
    if (unread)
        fprintf (stderr, "weft %s: WEFT__REDIS__PASSWORD_FILE: %s: %s\n",
                 command, password, why);
    else if (login->tls && !tls)
        fprintf (stderr, "weft %s: WEFT__REDIS__TLS_*: %s\n", command, why);
    else if (tls && strncmp (place, "unix:", 5) == 0)
        fprintf (stderr,
                 "weft %s: '%s': WEFT__REDIS__TLS is true, but there is no TLS "
                 "on a Unix socket\n",
                 command, place);
    else
        fprintf (stderr,
                 "weft %s: '%s' is none of unix:/path, host:port and "
                 "cluster:host:port,...\n",
                 command, place);
    weft_tls_destroy (&tls);
}

weft_redis_t *
weft_cli_redis (const char *command, const char *address, int *exit_code)
{
    const char *place = address ? address : default_address ();
    weft_log_init ("weft", WEFT_ERROR);  //  people read our own words
    const char *tls = getenv ("WEFT__REDIS__TLS");
    const weft_redis_config_t login = {
        .user = getenv ("WEFT__REDIS__USER"),
        .password_file = getenv ("WEFT__REDIS__PASSWORD_FILE"),
        .tls = tls && strcmp (tls, "true") == 0,
        .tls_ca = getenv ("WEFT__REDIS__TLS_CA"),
        .tls_certificate = getenv ("WEFT__REDIS__TLS_CERTIFICATE"),
        .tls_key = getenv ("WEFT__REDIS__TLS_KEY"),
    };
    weft_redis_t *redis = weft_redis_new (place, &login);
    *exit_code = redis ? 1 : 2;
    if (!redis)
        say_wrong (command, place, &login);
    else if (weft_redis_ping (redis) != 0) {
        fprintf (stderr,
                 "weft %s: no answer from Redis at %s: %s; name another by "
                 "--redis or WEFT__REDIS__ADDRESS\n",
                 command, place, weft_redis_why (redis));
        weft_redis_destroy (&redis);
    }
    return redis;
}

//  "a:1, b:2" to "cluster:a:1,b:2".
static void
name_cluster (const char *nodes, char *name, size_t room)
{
    size_t n = (size_t)snprintf (name, room, "cluster:");
    for (; *nodes && n + 1 < room; nodes++)
        if (*nodes != ' ' && *nodes != '\t')
            name[n++] = *nodes;
    name[n] = '\0';
}

weft_redis_t *
weft_cli_redis_bulk (const char *command, const char *address, int *exit_code)
{
    char name[4096];
    const char *nodes = getenv ("WEFT__REDIS__CLUSTER");
    if (!address && nodes && *nodes) {
        name_cluster (nodes, name, sizeof name);
        address = name;
    }
    return weft_cli_redis (command, address, exit_code);
}

int
weft_cli_options (int argc,
                  char *argv[],
                  void (*help) (FILE *out),
                  const char **address,
                  bool *json)
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { "redis", required_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    for (int c; (c = getopt_long (argc, argv, "", options, NULL)) != -1;) {
        if (c == 'j')
            *json = true;
        else if (c == 'r')
            *address = optarg;
        else {
            help (c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : 2;
        }
    }
    if (optind == argc)
        return -1;
    help (stderr);
    return 2;
}

int
weft_cli_failed (const char *command, const char *what, int rc)
{
    fprintf (stderr, "weft %s: %s: %s\n", command, what, weft_error_text (rc));
    return 1;
}

int
weft_cli_lost (const char *command,
               const char *what,
               const weft_redis_t *redis,
               int rc)
{
    if (rc != WEFT_EDOWN)
        return weft_cli_failed (command, what, rc);
    fprintf (stderr, "weft %s: %s: Redis at %s: %s\n", command, what,
             weft_redis_address (redis), weft_redis_why (redis));
    return 1;
}

json_t *
weft_cli_text (const char *text, size_t size)
{
    json_t *json = json_stringn (text, size);
    if (json)
        return json;
    weft_buf_t out;
    weft_buf_init (&out, 4 * size + 1);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] < 0x80)
            weft_buf_add (&out, &text[i], 1);
        else
            weft_buf_addf (&out, "\\x%02x", (unsigned char)text[i]);
    json = out.error ? NULL : json_stringn ((char *)out.data, out.size);
    weft_buf_fini (&out);
    return json ? json : json_string ("?");
}

int
weft_cli_print (json_t *json, size_t flags)
{
    int rc = json ? json_dumpf (json, stdout, flags) : -1;
    if (rc == 0)
        putchar ('\n');
    json_decref (json);
    return rc == 0 ? 0 : 1;
}

//  Also C1 in UTF-8, which some terminals obey.
static bool
is_control (const char *text, size_t left)
{
    uint8_t c = (uint8_t)*text;
    return c < 0x20 || c == 0x7f ||
           (c == 0xc2 && left > 1 && (uint8_t)text[1] < 0xa0);
}

const char *
weft_cli_plain (char *out, size_t room, const char *text, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size && n + 5 < room; i++)
        if (is_control (text + i, size - i))
            n += (size_t)snprintf (out + n, room - n, "\\x%02x",
                                   (uint8_t)text[i]);
        else
            out[n++] = text[i];
    out[n] = 0;
    return out;
}
