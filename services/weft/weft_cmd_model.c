//  weft model - published classifiers: lists and compares them, moves the live
//  one.

#include <getopt.h>
#include <jansson.h>

#include "commands.h"
#include "model.h"
#include "weft_cli.h"
#include "weft_scorer.h"

static void
help (FILE *out)
{
    fprintf (
        out,
        "usage: weft model ls [NAME] [--json]\n"
        "       weft model show NAME [VERSION] [--json]\n"
        "       weft model promote NAME [VERSION] [--expect VERSION]\n"
        "       weft model rollback NAME [VERSION]\n"
        "       weft model compare NAME [VERSION] [--json]\n"
        "\n"
        "Published classifiers. A VERSION is its first digits (4 at least), "
        "`live` or\n`candidate`.\n\n"
        "  ls         versions with state: live, candidate, retired, refused "
        "and why\n"
        "  show       one (default: the live one) with its card, and when the "
        "live\n             version has moved\n"
        "  promote    makes a newer version live (default: the candidate), "
        "after\n             checking it\n"
        "  rollback   makes an older version live again (default: the last "
        "older one\n             that was)\n"
        "  compare    what a version (default: the candidate) has said as a "
        "shadow, against\n             the version that was live then, and "
        "against the labels\n\n"
        "  --json             for programs\n"
        "  --expect VERSION   promote: only if this one is live "
        "now\n" WEFT_CLI_REDIS_HELP
        "\nExit: 0 ok, 1 failed, 2 usage, 3 there is no such version, or it "
        "cannot be\nmade live.\n");
}

//  A version that no classifier could load is not made live.
static int
check (model_t *self, const char *name, const char *version)
{
    char why[WEFT_SCORER_WHY];
    int rc = weft_model_get (self->redis, name, version, &self->section);
    if (rc)
        return rc;
    weft_scorer_t *scorer =
        weft_scorer_new (self->section.data, self->section.size, why);
    bool same = scorer && !strcmp (weft_scorer_version (scorer), version) &&
                !strcmp (weft_scorer_name (scorer), name);
    if (!same)
        fprintf (stderr, "weft model: %s %.16s is refused: %s\n", name, version,
                 scorer ? "it has another name or version" : why);
    weft_scorer_destroy (&scorer);
    return same ? 0 : WEFT_EREJECT;
}

//  Says why `current` did not move; the exit code.
static int
not_moved (const char *name, const char *version, int rc, bool back)
{
    const char *text = rc == WEFT_ENOENT   ? "it is not published"
                       : rc == WEFT_EEXIST ? "another version is live by now"
                       : rc == WEFT_ERANGE
                           ? back ? "it is not older than the live one: "
                                    "weft model promote"
                                  : "it is not newer than the live one: "
                                    "weft model rollback"
                           : weft_error_text (rc);
    if (rc != WEFT_EREJECT)
        fprintf (stderr, "weft model: %s %.16s stays as it is: %s\n", name,
                 version, text);
    return rc == WEFT_EDOWN || rc == WEFT_EIO ? 1 : 3;
}

static int
moved (const char *name, const char *version)
{
    printf ("%s %.16s is live\n", name, version);
    return 0;
}

static int
promote (model_t *self, int argc, char *argv[])
{
    char version[WEFT_MODEL_VERSION_MOST], expect[WEFT_MODEL_VERSION_MOST];
    weft_model_pointers_t at;
    const char *name = argv[0];
    int rc = model_find (self, name, argc > 1 ? argv[1] : "candidate", version);
    if (!rc && self->expect)
        rc = model_find (self, name, self->expect, expect);
    if (rc)
        return rc == WEFT_ENOENT ? 3 : 1;
    rc = weft_model_pointers (self->redis, name, &at);
    if (!rc && self->expect && strcmp (expect, at.live))
        rc = WEFT_EEXIST;
    rc = rc ? rc : check (self, name, version);
    rc =
        rc ? rc : weft_model_move (self->redis, name, &at, version, "operator");
    return rc ? not_moved (name, version, rc, false) : moved (name, version);
}

//  The last version that was live and is older than the one that is.
typedef struct {
    const char *live;
    char version[WEFT_MODEL_VERSION_MOST];
    char seen[WEFT_MODEL_PROMOTIONS][WEFT_MODEL_VERSION_MOST];
    size_t n;
    int64_t live_number;
} before_t;

static void
note_move (
    void *arg, int64_t count, const char *version, double at, const char *who)
{
    before_t *self = arg;
    (void)count;
    (void)at;
    (void)who;
    if (self->n < WEFT_MODEL_PROMOTIONS)
        snprintf (self->seen[self->n++], WEFT_MODEL_VERSION_MOST, "%s",
                  version);
}

//  Later moves stand behind earlier ones: the last match stays.
static void
note_older (void *arg, const weft_model_row_t *row)
{
    before_t *self = arg;
    static const size_t none = SIZE_MAX;
    size_t best = none, mine = none;
    for (size_t i = 0; i < self->n; i++) {
        if (!strcmp (self->seen[i], self->version))
            best = i;
        if (!strcmp (self->seen[i], row->version))
            mine = i;
    }
    if (row->number >= self->live_number || row->refused || mine == none)
        return;
    if (best == none || mine > best)
        snprintf (self->version, sizeof (self->version), "%s", row->version);
}

static int
find_before (model_t *self,
             const char *name,
             const weft_model_pointers_t *at,
             char version[WEFT_MODEL_VERSION_MOST])
{
    before_t *before = calloc (1, sizeof (*before));
    if (!before)
        return WEFT_ENOMEM;
    before->live_number = at->live_number;
    int rc = weft_model_promotions (self->redis, name, note_move, before);
    rc = rc ? rc : weft_model_list (self->redis, name, note_older, before);
    snprintf (version, WEFT_MODEL_VERSION_MOST, "%s", before->version);
    free (before);
    if (!rc && !version[0]) {
        fprintf (stderr, "weft model: no older version of %s was live\n", name);
        rc = WEFT_ENOENT;
    }
    return rc;
}

static int
rollback (model_t *self, int argc, char *argv[])
{
    char version[WEFT_MODEL_VERSION_MOST];
    weft_model_pointers_t at;
    const char *name = argv[0];
    int rc = weft_model_pointers (self->redis, name, &at);
    if (!rc)
        rc = argc > 1 ? model_find (self, name, argv[1], version)
                      : find_before (self, name, &at, version);
    if (rc)
        return rc == WEFT_ENOENT
                   ? 3
                   : weft_cli_lost ("model", "cannot read the models",
                                    self->redis, rc);
    rc = check (self, name, version);
    rc = rc ? rc
            : weft_model_move_back (self->redis, name, &at, version,
                                    "operator, back");
    return rc ? not_moved (name, version, rc, true) : moved (name, version);
}

typedef struct {
    const char *name;
    int least, most;  //  arguments
    int (*run) (model_t *self, int argc, char *argv[]);
} verb_t;

static const verb_t verbs[] = {
    { "ls", 0, 1, model_ls },           { "show", 1, 2, model_show },
    { "promote", 1, 2, promote },       { "rollback", 1, 2, rollback },
    { "compare", 1, 2, model_compare },
};

static const verb_t *
find_verb (int argc, char *argv[])
{
    for (size_t i = 0; argc > 0 && i < WEFT_COUNT (verbs); i++)
        if (!strcmp (argv[0], verbs[i].name))
            return argc - 1 >= verbs[i].least && argc - 1 <= verbs[i].most
                       ? &verbs[i]
                       : NULL;
    return NULL;
}

static int
run (model_t *self, const verb_t *verb, int argc, char *argv[])
{
    int code = 2;
    self->redis = weft_cli_redis ("model", self->address, &code);
    if (!self->redis)
        return code;
    weft_buf_init (&self->section, WEFT_MODEL_MOST);
    code = verb->run (self, argc - 1, argv + 1);
    weft_buf_fini (&self->section);
    weft_redis_destroy (&self->redis);
    return code;
}

int
weft_cmd_model (int argc, char *argv[])
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { "expect", required_argument, NULL, 'e' },
        { "redis", required_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    model_t self = { 0 };
    for (int c; (c = getopt_long (argc, argv, "", options, NULL)) != -1;) {
        if (c == 'j')
            self.json = true;
        else if (c == 'e')
            self.expect = optarg;
        else if (c == 'r')
            self.address = optarg;
        else {
            help (c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : 2;
        }
    }
    const verb_t *verb = find_verb (argc - optind, argv + optind);
    if (!verb) {
        help (stderr);
        return 2;
    }
    return run (&self, verb, argc - optind, argv + optind);
}
