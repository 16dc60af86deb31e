//  contract_fuzz - hostile bytes as a section of every contract, as an alert
//  in a pipe, and under the bare cursor.
//
//  What is decoded must encode again, and what comes of that must decode to the
//  same bytes: nothing is half understood.

#include <jansson.h>

#include "weft_alert.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static union {
    weft_alert_v1_t alert;
    weft_matches_v1_t matches;
    weft_scores_v1_t scores;
    uint8_t room[1 << 20];
} first, second;

static void
encode_again (const weft_contract_t *contract)
{
    weft_buf_t one, two;
    weft_buf_init (&one, 4 << 20);
    weft_buf_init (&two, 4 << 20);
    int rc = weft_contract_encode (contract, &first, &one);
    assert (rc == 0);
    rc = weft_contract_decode (contract, &second, one.data, one.size);
    assert (rc == 0);
    rc = weft_contract_encode (contract, &second, &two);
    assert (rc == 0 && one.size == two.size);
    assert (memcmp (one.data, two.data, one.size) == 0);
    json_decref (weft_contract_json (contract, &first));
    weft_buf_fini (&one);
    weft_buf_fini (&two);
}

static void
walk (const uint8_t *data, size_t size)
{
    weft_cursor_t at;
    weft_cursor_init (&at, data, size);
    while (weft_cursor_left (&at) > 0 && weft_cursor_skip (&at) == 0)
        assert (at.at <= at.end);
}

//  The contract that the bytes say they are; NULL for none.
static const weft_contract_t *
named (const uint8_t *data, size_t size)
{
    char text[32];
    weft_str_t name;
    if (weft_contract_name (data, size, &name))
        return NULL;
    weft_str_copy (name, text, sizeof text);
    return weft_contract_find (text);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    walk (data, size);
    weft_alert_t *alert = weft_alert_parse (data, size);
    weft_alert_unref (&alert);
    const weft_contract_t *contract = named (data, size);
    if (!contract)
        return 0;
    assert (contract->size <= sizeof first);
    if (weft_contract_decode (contract, &first, data, size) == 0)
        encode_again (contract);
    return 0;
}
