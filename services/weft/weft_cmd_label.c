//  weft label - says what objects are.

#include <getopt.h>
#include <jansson.h>

#include "commands.h"
#include "weft_cli.h"
#include "weft_csv.h"
#include "weft_label_text.h"
#include "weft_labels.h"
#include "weft_rows.h"
#include "weft_written.h"

#include <errno.h>

#define FILE_MOST (256u << 20)  //  bytes of a CSV file
#define WRITTEN_MS 10000

static const char help[] =
    "usage: weft label OBJECT CLASS --source WHO [OPTION...]\n"
    "       weft label --csv FILE [OPTION...]\n"
    "       weft label --ls [--json]\n\n"
    "Writes labels as immutable rows. The same label (source, object, class,\n"
    "time) is one row however often it is said; another class is a new row,\n"
    "and the last row of an object counts. Returns when Redis has written "
    "it.\n\n"
    "  OBJECT           object id, or survey:object id\n"
    "  --source WHO     who says so\n"
    "  --survey NAME    ztf, lsst or elasticc (ztf)\n"
    "  --time TIME      when they said so: MJD (TAI) or a date in UTC\n"
    "  --requester ID   the query that it answers (default: the open query of\n"
    "                   the object, else 'unsolicited')\n"
    "  --id ID          the source's own key of the label\n"
    "  --set KEY=VALUE  any other field of label.v1; may be repeated\n"
    "  --retract        the source takes it back\n"
    "  --new-class      the class may be used from now on\n"
    "  --csv FILE       a header with names of fields, then a label a line; "
    "the\n"
    "                   options above are for fields that the file has not\n"
    "  --ls             lists the rows\n"
    "  --json           for programs\n" WEFT_CLI_REDIS_HELP
    "\nExit: 0 done, 1 failed, 2 usage, 3 some labels were refused.\n";

typedef struct {
    const char *address, *csv;
    bool list, json, new_class;
    weft_label_v1_t common;  //  what the options say of every label
    weft_redis_t *redis;
    weft_label_put_t puts[WEFT_LABEL_BATCH];
    uint64_t lines[WEFT_LABEL_BATCH];  //  of the file; 0: arguments
    size_t n;
    uint64_t added, known, refused;
} label_t;

static void
refuse (label_t *self, uint64_t line, const char *why)
{
    self->refused++;
    if (line)
        fprintf (stderr, "weft label: %s, line %llu: %s\n", self->csv,
                 (unsigned long long)line, why);
    else
        fprintf (stderr, "weft label: %s\n", why);
}

static void
refuse_class (label_t *self, size_t i)
{
    char class[WEFT_LABEL_CLASS + 1], why[WEFT_LABEL_CLASS + 200];
    weft_str_copy (self->puts[i].label.class, class, sizeof class);
    snprintf (why, sizeof why,
              "unknown class '%s', expected one of a model's (weft model show "
              "NAME lists them); --new-class adds one",
              class);
    refuse (self, self->lines[i], why);
}

static int
allow_classes (label_t *self)
{
    int rc = 0;
    for (size_t i = 0; !rc && self->new_class && i < self->n; i++) {
        char class[WEFT_LABEL_CLASS + 1];
        weft_str_copy (self->puts[i].label.class, class, sizeof (class));
        rc = weft_labels_allow (self->redis, class);
    }
    return rc;
}

//  Writes what has been gathered.
static int
put (label_t *self)
{
    int rc = allow_classes (self);
    rc = rc ? rc : weft_labels_put (self->redis, self->puts, self->n);
    for (size_t i = 0; !rc && i < self->n; i++) {
        weft_label_verdict_t verdict = self->puts[i].verdict;
        self->added += verdict == WEFT_LABEL_ADDED;
        self->known += verdict == WEFT_LABEL_KNOWN;
        if (verdict == WEFT_LABEL_NO_CLASS)
            refuse_class (self, i);
        else if (verdict > WEFT_LABEL_KNOWN)
            refuse (self, self->lines[i], weft_label_verdict_text (verdict));
    }
    self->n = 0;
    return rc;
}

//  "survey:object" names both.
static void
split_object (weft_label_v1_t *label)
{
    weft_str_t text = label->object_id;
    const char *colon = text.n ? memchr (text.p, ':', text.n) : NULL;
    if (!colon)
        return;
    uint32_t n = (uint32_t)(colon - text.p);
    WEFT_SET (label_v1, label, survey, ((weft_str_t){ text.p, n }));
    WEFT_SET (label_v1, label, object_id,
              ((weft_str_t){ colon + 1, text.n - n - 1 }));
}

static int
add (label_t *self, const weft_label_v1_t *label, uint64_t line)
{
    char why[WEFT_LABEL_WHY];
    weft_label_put_t *next = &self->puts[self->n];
    memset (next, 0, sizeof (*next));
    next->label = *label;
    split_object (&next->label);
    if (weft_label_check (&next->label, why)) {
        refuse (self, line, why);
        return 0;
    }
    self->lines[self->n++] = line;
    return self->n == WEFT_LABEL_BATCH ? put (self) : 0;
}

static int
add_record (label_t *self, const weft_csv_t *csv, const weft_str_t *names)
{
    weft_label_v1_t label = self->common;
    for (uint32_t i = 0; i < csv->n_fields; i++) {
        int rc = weft_label_set (&label, names[i], csv->fields[i]);
        if (rc) {
            refuse (self, csv->line, "a value is not of its field's kind");
            return 0;
        }
    }
    return add (self, &label, csv->line);
}

static int
cannot_read (const label_t *self, const char *why)
{
    fprintf (stderr, "weft label: %s: %s\n", self->csv, why);
    return 1;
}

static bool
is_repeated (const weft_str_t *names, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (names[k].n == names[i].n &&
            memcmp (names[k].p, names[i].p, names[i].n) == 0)
            return true;
    return false;
}

//  The header: every column must be a field that a label can have, once.
//  Returns 0 or exit code 1.
static int
read_names (const label_t *self, weft_csv_t *csv, weft_str_t *names)
{
    weft_label_v1_t aside = { 0 };
    int rc = weft_csv_next (csv);
    for (uint32_t i = 0; rc == 1 && i < csv->n_fields; i++) {
        names[i] = csv->fields[i];
        const char *wrong = NULL;
        if (weft_label_set (&aside, names[i], weft_str ("0")) == WEFT_EABSENT)
            wrong = "is no field of label.v1";
        else if (is_repeated (names, i))
            wrong = "stands twice";
        if (!wrong)
            continue;
        fprintf (stderr, "weft label: %s, line %llu: column '%.*s' %s\n",
                 self->csv, (unsigned long long)csv->line,
                 (int)WEFT_MIN (names[i].n, 40u), names[i].p, wrong);
        return 1;
    }
    return rc == 1 ? 0
                   : cannot_read (self, "a header with names of fields of "
                                        "label.v1 is expected");
}

//  Returns 0 or exit code 1.
static int
read_records (label_t *self, char *data, size_t size)
{
    weft_str_t names[WEFT_CSV_FIELDS];
    weft_csv_t csv;
    weft_csv_init (&csv, data, size, ',');
    int rc = read_names (self, &csv, names);
    if (rc)
        return rc;
    uint32_t columns = csv.n_fields;
    int more;
    while (!rc && (more = weft_csv_next (&csv)) == 1) {
        if (csv.n_fields != columns)
            refuse (self, csv.line, "another number of fields than the header");
        else
            rc = add_record (self, &csv, names);
    }
    //  What stands before a line that cannot be read is written and counted.
    rc = rc ? rc : put (self);
    if (rc)
        return weft_cli_lost ("label", "cannot write", self->redis, rc);
    if (more)
        refuse (self, csv.line,
                more == WEFT_ETOOBIG
                    ? "a field of over 64 kB, or a quote that is never closed; "
                      "nothing behind it is read"
                    : "a quote that is not closed, or text behind one; nothing "
                      "behind it is read");
    return 0;
}

//  Returns 0 or exit code 1.
static int
read_csv (label_t *self)
{
    weft_buf_t text;
    FILE *file = fopen (self->csv, "rb");
    if (!file)
        return cannot_read (self, strerror (errno));
    weft_buf_init (&text, FILE_MOST);
    char piece[65536];
    for (size_t n; (n = fread (piece, 1, sizeof (piece), file)) > 0;)
        weft_buf_add (&text, piece, n);
    int error = ferror (file) ? errno : 0;
    fclose (file);
    int code = error ? cannot_read (self, strerror (error))
               : text.error
                   ? cannot_read (self, "over 256 MB, expected smaller files")
                   : read_records (self, (char *)text.data, text.size);
    weft_buf_fini (&text);
    return code;
}

static void
show (void *arg, uint64_t number, weft_str_t id, weft_bin_t row)
{
    label_t *self = arg;
    weft_label_v1_t label;
    if (weft_contract_decode (&weft_label_v1, &label, row.p, row.n))
        return;
    if (self->json) {
        json_t *json = weft_contract_json (&weft_label_v1, &label);
        json_object_set_new (json, "number", json_integer ((json_int_t)number));
        (void)weft_cli_print (json, JSON_COMPACT);
        return;
    }
    printf ("%6llu  %-8.*s %-20.*s %-12.*s %-16.*s %-12.4f  %.*s%s\n",
            (unsigned long long)number, (int)label.survey.n, label.survey.p,
            (int)label.object_id.n, label.object_id.p, (int)label.class.n,
            label.class.p, (int)label.source.n, label.source.p,
            label.received_at, (int)id.n, id.p,
            label.retracted ? " (taken back)" : "");
}

//  All rows, by number.
static int
list (label_t *self)
{
    uint64_t after = 0, last = 0;
    int rc;
    if (!self->json)
        printf ("%6s  %-8s %-20s %-12s %-16s %-12s  %s\n", "number", "survey",
                "object", "class", "source", "received MJD", "id");
    while (!(rc = weft_rows_since (self->redis, "label", after, 500, show, self,
                                   &last)) &&
           last > after)
        after = last;
    return rc ? weft_cli_lost ("label", "cannot read the labels", self->redis,
                               rc)
              : 0;
}

static int
finish (label_t *self)
{
    int rc = weft_redis_written (self->redis, WRITTEN_MS);
    if (rc)
        return weft_cli_lost ("label", "Redis has not written them",
                              self->redis, rc);
    if (self->json)
        (void)weft_cli_print (json_pack ("{s:I, s:I, s:I}", "added",
                                         (json_int_t)self->added, "known",
                                         (json_int_t)self->known, "refused",
                                         (json_int_t)self->refused),
                              JSON_COMPACT);
    else
        printf ("%llu added, %llu known already, %llu refused\n",
                (unsigned long long)self->added,
                (unsigned long long)self->known,
                (unsigned long long)self->refused);
    return self->refused ? 3 : 0;
}

static int
run (label_t *self)
{
    int code = 0;
    self->redis = weft_cli_redis ("label", self->address, &code);
    if (!self->redis)
        return code;
    if (self->list) {
        code = list (self);
    } else if (self->csv) {
        code = read_csv (self);
    } else {
        int rc = add (self, &self->common, 0);
        rc = rc ? rc : put (self);
        code =
            rc ? weft_cli_lost ("label", "cannot write", self->redis, rc) : 0;
    }
    if (!code && !self->list)
        code = finish (self);
    weft_redis_destroy (&self->redis);
    return code;
}

//  A field by its option; `text` may be KEY=VALUE.
static int
set_field (label_t *self, const char *key, const char *text)
{
    weft_str_t name = weft_str (key ? key : text);
    if (!key) {
        const char *equals = strchr (text, '=');
        name.n = equals ? (uint32_t)(equals - text) : 0;
        text = equals ? equals + 1 : "";
    }
    if (!weft_label_set (&self->common, name, weft_str (text)))
        return 0;
    fprintf (stderr,
             "weft label: %.*s: no such field, or not its kind of "
             "value\n",
             (int)name.n, name.p);
    return WEFT_EUSAGE;
}

static int
read_option (label_t *self, int c)
{
    static const struct {
        int letter;
        const char *field;
    } fields[] = { { 's', "source" },    { 'v', "survey" }, { 't', "time" },
                   { 'q', "requester" }, { 'i', "id" },     { 'e', NULL } };
    for (size_t i = 0; i < WEFT_COUNT (fields); i++)
        if (fields[i].letter == c)
            return set_field (self, fields[i].field, optarg);
    switch (c) {
    case 'x':
        return set_field (self, "retracted", "1");
    case 'n':
        self->new_class = true;
        return 0;
    case 'c':
        self->csv = optarg;
        return 0;
    case 'l':
        self->list = true;
        return 0;
    case 'j':
        self->json = true;
        return 0;
    case 'r':
        self->address = optarg;
        return 0;
    default:
        return WEFT_EUSAGE;
    }
}

//  0 go on, 1 help was asked for, WEFT_EUSAGE.
static int
read_options (label_t *self, int argc, char *argv[])
{
    static const struct option table[] = {
        { "source", required_argument, NULL, 's' },
        { "survey", required_argument, NULL, 'v' },
        { "time", required_argument, NULL, 't' },
        { "requester", required_argument, NULL, 'q' },
        { "id", required_argument, NULL, 'i' },
        { "set", required_argument, NULL, 'e' },
        { "retract", no_argument, NULL, 'x' },
        { "new-class", no_argument, NULL, 'n' },
        { "csv", required_argument, NULL, 'c' },
        { "ls", no_argument, NULL, 'l' },
        { "json", no_argument, NULL, 'j' },
        { "redis", required_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    for (int c; (c = getopt_long (argc, argv, "", table, NULL)) != -1;) {
        int rc = c == 'h' ? 1 : read_option (self, c);
        if (rc)
            return rc;
    }
    int rest = argc - optind;
    if (self->list || self->csv)
        return rest ? WEFT_EUSAGE : 0;
    if (rest != 2)
        return WEFT_EUSAGE;
    int rc = set_field (self, "object_id", argv[optind]);
    return rc ? rc : set_field (self, "class", argv[optind + 1]);
}

int
weft_cmd_label (int argc, char *argv[])
{
    label_t *self = calloc (1, sizeof (*self));
    if (!self)
        return 1;
    weft_contract_clear (&weft_label_v1, &self->common);
    WEFT_SET (label_v1, &self->common, survey, weft_str ("ztf"));
    int rc = read_options (self, argc, argv);
    int code = rc > 0 ? 0 : 2;
    if (rc)
        fputs (help, rc > 0 ? stdout : stderr);
    else
        code = run (self);
    free (self);
    return code;
}
