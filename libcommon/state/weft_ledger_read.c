//  weft_ledger_read.c - one account per night, counted from the bitmaps.
//
//  What is in flight is counted (received and no outcome), not the difference,
//  so that `balanced` says something: it is false if a position has two
//  outcomes, or one without having been received. For `weft ledger`, not for
//  the data path.

#include "weft_ledger_parts.h"

enum { MAPS = WEFT_ACCOUNTS, NIGHTS_MOST = 4096 };

static int
compare_accounts (const void *a, const void *b)
{
    int32_t left = ((const weft_account_t *)a)->night;
    int32_t right = ((const weft_account_t *)b)->night;
    return (left > right) - (left < right);
}

static int
read_nights (weft_batch_t *batch, weft_account_t **accounts, size_t *n)
{
    weft_batch_words (batch, "SMEMBERS", "ledger:nights");
    int rc = weft_batch_run (batch);
    if (rc)
        return rc;
    const weft_reply_t *nights = weft_batch_reply (batch, 0);
    size_t count = WEFT_MIN (weft_reply_count (nights), (size_t)NIGHTS_MOST);
    if (count == 0)
        return 0;
    *accounts = calloc (count, sizeof **accounts);
    if (!*accounts)
        return WEFT_ENOMEM;
    for (size_t i = 0; i < count; i++)
        (*accounts)[i].night =
            (int32_t)weft_reply_int (weft_reply_at (nights, i), 0);
    qsort (*accounts, count, sizeof **accounts, compare_accounts);
    *n = count;
    return 0;
}

static unsigned
bits (unsigned byte)
{
    return (unsigned)__builtin_popcount (byte);
}

//  Counts one piece from its four bitmaps; a shorter one ends in zeros.
static void
count_piece (const weft_batch_t *batch, weft_account_t *account)
{
    weft_bin_t map[MAPS];
    uint32_t longest = 0;
    for (size_t m = 0; m < MAPS; m++) {
        map[m] = weft_reply_bytes (weft_batch_reply (batch, m));
        longest = WEFT_MAX (longest, map[m].n);
    }
    for (uint32_t i = 0; i < longest; i++) {
        unsigned byte[MAPS];
        for (size_t m = 0; m < MAPS; m++)
            byte[m] = i < map[m].n ? map[m].p[i] : 0;
        account->received += bits (byte[0]);
        account->settled += bits (byte[1]);
        account->duplicate += bits (byte[2]);
        account->dead += bits (byte[3]);
        account->in_flight += bits (byte[0] & ~(byte[1] | byte[2] | byte[3]));
    }
}

static int
read_piece (weft_batch_t *batch, weft_account_t *account, weft_bin_t piece)
{
    char name[WEFT_LEDGER_PIECE_MOST];
    snprintf (name, sizeof name, "%.*s", (int)piece.n, (const char *)piece.p);
    weft_batch_clear (batch);
    for (size_t m = 0; m < MAPS; m++) {
        weft_batch_begin (batch, 2);
        weft_batch_str (batch, "GET");
        weft_ledger_key (batch, account->night, m, name);
    }
    int rc = weft_batch_run (batch);
    if (rc == 0)
        count_piece (batch, account);
    return rc;
}

static int
read_account (weft_batch_t *list, weft_batch_t *batch, weft_account_t *account)
{
    weft_batch_clear (list);
    weft_batch_begin (list, 2);
    weft_batch_str (list, "SMEMBERS");
    weft_batch_argf (list, "ledger:%d:pieces", account->night);
    int rc = weft_batch_run (list);
    if (rc)
        return rc;
    const weft_reply_t *pieces = weft_batch_reply (list, 0);
    for (size_t i = 0; rc == 0 && i < weft_reply_count (pieces); i++)
        rc = read_piece (batch, account,
                         weft_reply_bytes (weft_reply_at (pieces, i)));
    account->balanced =
        account->received == account->settled + account->duplicate +
                                 account->dead + account->in_flight;
    return rc;
}

int
weft_ledger_read (weft_redis_t *redis, weft_account_t **accounts, size_t *n)
{
    *accounts = NULL;
    *n = 0;
    weft_batch_t *list = weft_batch_new (redis, 0);
    weft_batch_t *batch = weft_batch_new (redis, 0);
    int rc = list && batch ? read_nights (list, accounts, n) : WEFT_ENOMEM;
    for (size_t i = 0; rc == 0 && i < *n; i++)
        rc = read_account (list, batch, &(*accounts)[i]);
    weft_batch_destroy (&list);
    weft_batch_destroy (&batch);
    if (rc) {
        free (*accounts);
        *accounts = NULL;
        *n = 0;
    }
    return rc;
}
