//  The buffer: text is written whole or not at all, wherever its room ends.

#include "unit/testing.h"

#include "weft_buf.h"

static void
text_of_any_length_comes_whole (void **state)
{
    (void)state;
    char wanted[9000] = "", text[64];
    size_t size = 0;
    weft_buf_t buf;
    weft_buf_init (&buf, sizeof wanted);
    for (int i = 0; i < 260; i++) {
        memset (text, 'a' + i % 26, sizeof text);
        text[i % 61] = 0;
        weft_buf_addf (&buf, "%s%d", text, i);
        size += (size_t)snprintf (wanted + size, sizeof wanted - size, "%s%d",
                                  text, i);
        assert_int_equal (buf.error, 0);
        assert_int_equal (buf.size, size);
        assert_memory_equal (buf.data, wanted, size);
    }
    weft_buf_fini (&buf);
}

//  Nothing is left of what does not fit, and nothing more is taken.
static void
the_ceiling_holds_for_text (void **state)
{
    (void)state;
    weft_buf_t buf;
    weft_buf_init (&buf, 10);
    weft_buf_addf (&buf, "%s", "");
    assert_int_equal (buf.size, 0);
    weft_buf_addf (&buf, "%d", 12345);
    weft_buf_addf (&buf, "%d", 678901);
    assert_int_equal (buf.error, WEFT_ETOOBIG);
    assert_int_equal (buf.size, 5);
    weft_buf_addf (&buf, "%d", 6);
    assert_int_equal (buf.size, 5);
    weft_buf_clear (&buf);
    weft_buf_addf (&buf, "%d", 6);
    assert_int_equal (buf.error, 0);
    assert_memory_equal (buf.data, "6", 1);
    weft_buf_fini (&buf);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (text_of_any_length_comes_whole),
        cmocka_unit_test (the_ceiling_holds_for_text),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
