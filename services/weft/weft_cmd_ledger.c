//  weft ledger - what became of every alert, night by night.

#include <jansson.h>

#include "commands.h"
#include "weft_cli.h"
#include "weft_gaps.h"
#include "weft_ledger.h"

static void
help (FILE *out)
{
    fprintf (out,
             "usage: weft ledger [--json] [--redis ADDR]\n\n"
             "Shows per night how many source positions were received, and "
             "what became\nof them: settled, duplicate, dead, or still in "
             "flight.\nMessages that a topic's retention deleted before they "
             "were read are in no night:\nthey are listed as gaps.\n\n"
             "  --json         {\"nights\": [...], \"total\": "
             "{...}, \"gaps\": [...]}\n" WEFT_CLI_REDIS_HELP
             "                 With a cluster: cluster:host:port,... (default: "
             "WEFT__REDIS__CLUSTER)\n"
             "\nExit: 0 all nights balance, 1 failed or one does not, "
             "2 usage.\n");
}

static weft_account_t
sum_of (const weft_account_t *accounts, size_t n)
{
    weft_account_t sum = { .balanced = true };
    for (size_t i = 0; i < n; i++) {
        sum.received += accounts[i].received;
        sum.settled += accounts[i].settled;
        sum.duplicate += accounts[i].duplicate;
        sum.dead += accounts[i].dead;
        sum.in_flight += accounts[i].in_flight;
        sum.balanced = sum.balanced && accounts[i].balanced;
    }
    return sum;
}

static json_t *
json_of (const weft_account_t *account)
{
    return json_pack (
        "{s:I, s:I, s:I, s:I, s:I, s:b}", "received",
        (json_int_t)account->received, "settled", (json_int_t)account->settled,
        "duplicate", (json_int_t)account->duplicate, "dead",
        (json_int_t)account->dead, "in_flight", (json_int_t)account->in_flight,
        "balanced", account->balanced);
}

typedef struct {
    weft_account_t *accounts;
    size_t n;
    weft_gap_t *gaps;
    size_t n_gaps;
} page_t;

static json_t *
json_of_gaps (const page_t *page)
{
    json_t *list = json_array ();
    for (size_t i = 0; i < page->n_gaps; i++) {
        const weft_gap_t *gap = &page->gaps[i];
        json_array_append_new (list, json_pack ("{s:s, s:i, s:I, s:I}", "topic",
                                                gap->topic, "partition",
                                                (int)gap->partition, "first",
                                                (json_int_t)gap->first, "count",
                                                (json_int_t)gap->count));
    }
    return list;
}

static int
print_json (const page_t *page)
{
    const weft_account_t *accounts = page->accounts;
    size_t n = page->n;
    weft_account_t sum = sum_of (accounts, n);
    json_t *nights = json_array ();
    for (size_t i = 0; i < n; i++) {
        json_t *night = json_pack ("{s:i}", "night", accounts[i].night);
        json_object_update_new (night, json_of (&accounts[i]));
        json_array_append_new (nights, night);
    }
    return weft_cli_print (json_pack ("{s:o, s:o, s:o}", "nights", nights,
                                      "total", json_of (&sum), "gaps",
                                      json_of_gaps (page)),
                           JSON_INDENT (2));
}

static void
print_line (const char *name, const weft_account_t *account)
{
    printf ("%-8s %12llu %12llu %12llu %12llu %12llu  %s\n", name,
            (unsigned long long)account->received,
            (unsigned long long)account->settled,
            (unsigned long long)account->duplicate,
            (unsigned long long)account->dead,
            (unsigned long long)account->in_flight,
            account->balanced ? "yes" : "NO");
}

static int
print_table (const page_t *page)
{
    const weft_account_t *accounts = page->accounts;
    size_t n = page->n;
    char name[16];
    weft_account_t sum = sum_of (accounts, n);
    printf ("%-8s %12s %12s %12s %12s %12s  %s\n", "night", "received",
            "settled", "duplicate", "dead", "in flight", "balanced");
    for (size_t i = 0; i < n; i++) {
        snprintf (name, sizeof name, "%d", accounts[i].night);
        print_line (name, &accounts[i]);
    }
    print_line ("total", &sum);
    printf (
        "night: ZTF's nid; of LSST the date in visit; else whole days of MJD "
        "- 0.5; 0: could not be read\n");
    for (size_t i = 0; i < page->n_gaps; i++)
        printf ("gap: %s/%d: %lld messages from offset %lld on were deleted "
                "before they were read\n",
                page->gaps[i].topic, (int)page->gaps[i].partition,
                (long long)page->gaps[i].count, (long long)page->gaps[i].first);
    return 0;
}

static int
show (const char *address, bool json)
{
    int code = 0;
    page_t page = { 0 };
    weft_redis_t *redis = weft_cli_redis_bulk ("ledger", address, &code);
    if (!redis)
        return code;
    int rc = weft_ledger_read (redis, &page.accounts, &page.n);
    if (!rc)
        rc = weft_gaps_read (redis, &page.gaps, &page.n_gaps);
    if (rc)
        code = weft_cli_lost ("ledger", "cannot read the ledger", redis, rc);
    else
        code = json ? print_json (&page) : print_table (&page);
    if (code == 0 && !sum_of (page.accounts, page.n).balanced)
        code = 1;
    free (page.accounts);
    free (page.gaps);
    weft_redis_destroy (&redis);
    return code;
}

int
weft_cmd_ledger (int argc, char *argv[])
{
    const char *address = NULL;
    bool json = false;
    int code = weft_cli_options (argc, argv, help, &address, &json);
    return code < 0 ? show (address, json) : code;
}
