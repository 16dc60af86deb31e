//  weft_flips_mutation_test.c - one story that every rule of class flips has a
//  part in: it ends as it should, and otherwise without any one of them.

#include "unit/testing.h"

#include <stdlib.h>
#include <unistd.h>

#include "unit/notifier_alert.h"
#include "unit/remove_tree.h"

//  The rules of this copy can be switched off; it takes the library's place.
#define WEFT_FLIPS_MUTATE
uint32_t weft_flips_without;
#include "weft_flips.c"

enum { STORY_MOST = 1000 };

typedef struct {
    char text[STORY_MOST];
    int64_t alert;
} story_t;

//  An alert of the one object: what the live models `first` and `second` say of
//  SN Ia, and their candidate.
typedef struct {
    int64_t id;
    float first, second, candidate;
    bool second_before;  //  in the section
} says_t;

static weft_frame_t *
scores_of (const says_t *says)
{
    weft_scores_v1_t s;
    float p[3][3];
    const float ia[3] = { says->first, says->second, says->candidate };
    for (int i = 0; i < 3; i++) {
        p[i][0] = ia[i];
        p[i][1] = (1 - ia[i]) * 0.75f;
        p[i][2] = (1 - ia[i]) * 0.25f;
    }
    weft_contract_clear (&weft_scores_v1, &s);
    WEFT_MARK (scores_v1, &s, models);
    s.n_models = 3;
    int first = says->second_before ? 2 : 1;
    //  The candidate's record stands in front: nothing but its mark says so.
    set_score (&s.models[0], "first", NULL, p[2], 1);
    set_score (&s.models[first], "first", NULL, p[0], 0);
    set_score (&s.models[3 - first], "second", NULL, p[1], 0);
    return encode_section (&weft_scores_v1, &s);
}

static weft_alert_t *
alert_of (const says_t *says)
{
    const alert_spec_t spec = { .id = says->id };
    weft_alert_t *alert = weft_alert_new (make_envelope (&spec, "A"));
    assert_non_null (alert);
    assert_int_equal (weft_alert_append (alert, scores_of (says)), 0);
    return alert;
}

static int
note (void *arg, const weft_flip_t *flip)
{
    story_t *story = arg;
    size_t used = strlen (story->text);
    snprintf (story->text + used, sizeof story->text - used, "%lld:%.*s>%.*s ",
              (long long)story->alert, (int)flip->from.n, flip->from.p,
              (int)flip->to.n, flip->to.p);
    return 0;
}

//  As the notifier does: the flips of an alert, then what itself is told.
static void
tell (weft_flips_t *flips,
      weft_outbox_t *outbox,
      story_t *story,
      bool wanted,
      const says_t *says)
{
    weft_alert_t *alert = alert_of (says);
    story->alert = says->id;
    assert_int_equal (weft_outbox_begin (outbox), 0);
    assert_int_equal (weft_flips_check (flips, alert, 0.2, 1e9, note, story),
                      0);
    if (wanted)
        assert_int_equal (weft_flips_told (flips, alert, weft_str ("filter"),
                                           weft_str ("sink"), 1e9),
                          0);
    assert_int_equal (weft_outbox_commit (outbox), 0);
    weft_alert_unref (&alert);
}

static void
play (const char *folder, story_t *story)
{
    static const struct {
        bool wanted;
        says_t says;
    } acts[] = {
        { true, { 10, 0.8f, 0.8f, 0.1f, false } },   //  told: SN Ia
        { false, { 11, 0.4f, 0.8f, 0.4f, false } },  //  SN II by 0.05
        { false, { 12, 0.8f, 0.8f, 0.1f, false } },  //  the candidate's alone
        { false, { 13, 0.8f, 0.1f, 0.8f, true } },   //  the second one's alone
        { false, { 14, 0.1f, 0.8f, 0.8f, false } },  //  a flip
        { false, { 15, 0.1f, 0.8f, 0.8f, false } },  //  that they know of
        { true, { 9, 0.9f, 0.9f, 0.9f, false } },    //  comes late, tells Ia
        { false, { 16, 0.1f, 0.8f, 0.8f, false } },  //  they still know of II
        { false, { 17, 0.9f, 0.8f, 0.8f, false } },  //  back
    };
    char path[100], why[200];
    weft_outbox_t *outbox;
    weft_flips_t *flips;
    snprintf (path, sizeof path, "%s/outbox-%u", folder, weft_flips_without);
    story->text[0] = '\0';
    assert_int_equal (weft_outbox_open (&outbox, path, why, sizeof why), 0);
    assert_int_equal (weft_flips_new (&flips, outbox), 0);
    for (size_t i = 0; i < WEFT_COUNT (acts); i++)
        tell (flips, outbox, story, acts[i].wanted, &acts[i].says);
    weft_flips_destroy (&flips);
    weft_outbox_close (&outbox);
}

static void
no_rule_can_be_taken_away (void **state)
{
    (void)state;
    static const char *const rules[] = {
#define X(name, text) #name ": " text,
        WEFT_FLIP_RULES (X)
#undef X
    };
    char folder[] = "/tmp/weft-flips-XXXXXX";
    story_t story;
    assert_non_null (mkdtemp (folder));
    weft_flips_without = 0;
    play (folder, &story);
    assert_string_equal (story.text, "14:SN Ia>SN II 17:SN II>SN Ia ");
    for (unsigned i = 0; i < WEFT_FLIP_RULE_COUNT; i++) {
        story_t other;
        weft_flips_without = 1u << i;
        play (folder, &other);
        if (strcmp (other.text, story.text) == 0)
            fail_msg ("nobody notices that %s", rules[i]);
    }
    remove_tree (folder);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (no_rule_can_be_taken_away),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
