//  What the walk accepts, avro-c reads alike: a datum with everything in it, and
//  tens of thousands of mutations of it.

#include "unit/testing.h"

#include "unit/avro_bytes.h"
#include "unit/avro_oracle.h"

static oracle_t oracle;

static int
make_oracle (void **state)
{
    (void)state;
    return oracle_init (&oracle, oracle_text, oracle_groups,
                        WEFT_COUNT (oracle_groups))
               ? 0
               : -1;
}

static int
drop_oracle (void **state)
{
    (void)state;
    oracle_fini (&oracle);
    return 0;
}

static void
put_row (weft_buf_t *out, int64_t id, bool whole)
{
    put_long (out, id);
    put_double (out, 2460000.5 + (double)id);
    put_long (out, whole);
    if (whole)
        put_float (out, 18.5f);
    put_long (out, !whole);
    if (whole)
        put_float (out, 0.1f);
    put_long (out, whole);
    if (whole)
        put_double (out, 1.5);
    put_float (out, 7.0f);
    put_text (out, "r");
    put_long (out, whole);
    if (whole)
        put_long (out, -300);
    put_long (out, 1);
    put_long (out, -1);  //  the byte 01: true
    put_long (out, 0);   //  the byte 00: false
}

//  Rows alike and not, in two blocks, one of which tells its size.
static void
put_rows (weft_buf_t *out)
{
    weft_buf_t block;
    weft_buf_init (&block, 1 << 16);
    put_long (out, 1);
    put_long (out, 40);
    for (int i = 0; i < 40; i++)
        put_row (out, 1000000 + i, i % 7 != 3);
    put_row (&block, -5, true);
    put_row (&block, INT64_MAX, true);
    put_long (out, -2);
    put_long (out, (int64_t)block.size);
    weft_buf_add (out, block.data, block.size);
    put_long (out, 0);
    weft_buf_fini (&block);
}

static void
put_datum (weft_buf_t *out)
{
    put_text (out, "a name");
    put_long (out, 2);
    put_double (out, 2.5);
    put_long (out, 1);
    weft_buf_add (out, "xyz", 3);
    put_long (out, 1);
    put_row (out, 7, true);
    put_rows (out);
    put_long (out, 1);
    put_text (out, "key");
    put_long (out, 1);
    put_long (out, 1 << 20);
    put_long (out, 0);
    put_long (out, 1);
    put_long (out, 2);
    put_long (out, 0);
    put_long (out, 1);
    put_long (out, 0);
    put_long (out, 0);
    put_long (out, 1);
    put_text (out, "bytes");
}

static void
the_whole_datum_is_read_alike (void **state)
{
    (void)state;
    weft_buf_t datum;
    weft_buf_init (&datum, 1 << 16);
    put_datum (&datum);
    int rc = oracle_check (&oracle, datum.data, datum.size);
    if (rc != 1)
        fail_msg ("%s", oracle.fault ? oracle.fault : "refused");
    assert_int_equal (oracle.n_rows, 42);
    //  And most rows were filled without looking at values.
    assert_true (oracle.ever_filled > 40);
    //  Every shorter one is refused.
    for (size_t size = 0; size < datum.size; size++)
        assert_int_equal (oracle_check (&oracle, datum.data, size), 0);
    weft_buf_fini (&datum);
}

static uint64_t
draw (uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void
mutations_are_refused_or_read_alike (void **state)
{
    (void)state;
    weft_buf_t datum, copy;
    uint64_t seed = 88172645463325252u;
    unsigned accepted = 0, refused = 0;
    weft_buf_init (&datum, 1 << 16);
    weft_buf_init (&copy, 1 << 16);
    put_datum (&datum);
    for (int i = 0; i < 30000; i++) {
        weft_buf_clear (&copy);
        weft_buf_add (&copy, datum.data, datum.size);
        for (uint64_t n = 1 + draw (&seed) % 3; n; n--) {
            size_t at = (size_t)(draw (&seed) % copy.size);
            uint8_t *byte = (uint8_t *)copy.data + at;
            *byte = draw (&seed) % 2
                        ? (uint8_t)draw (&seed)
                        : *byte ^ (uint8_t)(1u << draw (&seed) % 8);
        }
        int rc = oracle_check (&oracle, copy.data, copy.size);
        if (rc < 0)
            fail_msg ("mutation %d differs: %s", i, oracle.fault);
        accepted += rc == 1;
        refused += rc == 0;
    }
    assert_true (accepted > 3000 && refused > 3000);
    weft_buf_fini (&datum);
    weft_buf_fini (&copy);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (the_whole_datum_is_read_alike),
        cmocka_unit_test (mutations_are_refused_or_read_alike),
    };
    return cmocka_run_group_tests (tests, make_oracle, drop_oracle);
}
