//  weft_ledger.c - books source positions in bitmaps, with `seen`.
//
//  Bookings are cut into groups of one night, survey, source and window of 2^11
//  offsets; each group is one call of one script, so what it changes is one
//  transaction. The script reads the few bytes of each bitmap that the group
//  touches, works on them in Lua, and writes them back: four reads and at most
//  four writes per group instead of seven commands per alert.
//
//  Keys: ledger:{night}:{account}:{topic/partition}:{piece}, a piece being 2^17
//  offsets, 16 kB. Offsets are counted from the start of their piece and not
//  from the night's first: with a live lane ahead of the backlog, or several
//  replicas, the first offset that is booked is not the smallest. The pieces of
//  a night are the members of ledger:{night}:pieces, the nights those of
//  ledger:nights.
//
//  In a cluster a script reaches the keys of one slot only. There the bitmaps of
//  a piece share a tag, of all nights, with ledger:{piece}:nights that lists
//  these; the indexes are written by commands of their own, and `seen` is asked
//  before (weft_ledger_spread.c).

#include "weft_ledger_parts.h"

#include "weft_seen.h"

enum {
    KEEP_SECONDS = 90 * 86400,  //  a night's account
    RECORD = 26,                //  bytes of one booking
    SURVEY_MOST = 32,
};

//  One booking as the script sees it, little-endian: u16 bit from the first byte
//  of the group, u8 outcome, u8 flags, 8 bytes alert id, 12 bytes position, u16
//  bucket of seen.

//  KEYS: the four bitmaps in the order of `accounts`, what ended without a night,
//  nights that may have the piece, pieces (not in a cluster). Flags: 1 has an id
//  that `seen` is asked for here, 2 replayed, 4 (only with 2) it is booked as a
//  duplicate: somebody else has won the id.
//  What ended without a night, perhaps since it was taken here, leaves this
//  night: the first outcome wins. It died undecoded, and its letter is what can
//  be put back, or was. The other way round, what has an outcome under a night,
//  perhaps since it was looked for there, is not booked without one. The bitmaps
//  of the nights are in the slot of the keys that are named, but while that slot
//  moves, some may be elsewhere: then nothing has been written yet.
//  ARGV: 1 first byte, 2 bytes, 3 prefix of seen, 4 its seconds, 5 seconds of
//  the ledger, 6 night, 7 piece, 8 records, 9 "book" or "take". Returns one
//  letter per booking: 0 to 3 what is booked, "S" nothing is and another
//  position has won the id.
static const char script[] =
    "local first, n = tonumber (ARGV[1]), tonumber (ARGV[2])\n"
    "local book = ARGV[9] == 'book'\n"
    "local byte, sub, band = string.byte, string.sub, bit.band\n"
    "local maps, short, dirty = {}, {}, {}\n"
    "local undecoded, nights = ARGV[6] == '0', {}\n"
    "local lost = not undecoded and\n"
    "  redis.call ('GETRANGE', KEYS[5], first, first + n - 1) or ''\n"
    "for m = 1, 4 do\n"
    "  local s = redis.call ('GETRANGE', KEYS[m], first, first + n - 1)\n"
    "  local t = { byte (s, 1, -1) }\n"
    "  short[m] = #t < n\n"
    "  for i = #t + 1, n do t[i] = 0 end\n"
    "  maps[m] = t\n"
    "end\n"
    "if undecoded then nights = redis.call ('SMEMBERS', KEYS[6]) end\n"
    "local map_of, ended = { 2, 4, 3 }, {}\n"
    "for _, night in ipairs (nights) do\n"
    "  for outcome = 1, night == '0' and 0 or 3 do\n"
    "    local key = 'ledger:' .. night .. sub (KEYS[map_of[outcome]], 9)\n"
    "    local s = redis.pcall ('GETRANGE', key, first, first + n - 1)\n"
    "    if type (s) ~= 'string' then\n"
    "      return redis.error_reply ('TRYAGAIN its nights are on their way')\n"
    "    end\n"
    "    ended[#ended + 1] = { s, outcome }\n"
    "  end\n"
    "end\n"
    "local function elsewhere (at, mask)\n"
    "  for _, map in ipairs (ended) do\n"
    "    if band (byte (map[1], at) or 0, mask) ~= 0 then return map[2] end\n"
    "  end\n"
    "  return 0\n"
    "end\n"
    "local function get (m, at, mask)\n"
    "  return band (maps[m][at], mask) ~= 0\n"
    "end\n"
    "local function set (m, at, mask)\n"
    "  maps[m][at] = bit.bor (maps[m][at], mask)\n"
    "  dirty[m] = true\n"
    "end\n"
    "local function win (key, id, position)\n"
    "  if redis.call ('HSETNX', key, id, position) == 1 then\n"
    "    if redis.call ('HLEN', key) == 1 then\n"
    "      redis.call ('EXPIRE', key, ARGV[4])\n"
    "    end\n"
    "    return true\n"
    "  end\n"
    "  return redis.call ('HGET', key, id) == position\n"
    "end\n"
    "local out, records = {}, ARGV[8]\n"
    "for r = 0, #records - 1, 26 do\n"
    "  local b0, b1, outcome, flags = byte (records, r + 1, r + 4)\n"
    "  local nth = b0 + b1 * 256\n"
    "  local at = bit.rshift (nth, 3) + 1\n"
    "  local mask = bit.rshift (128, band (nth, 7))\n"
    "  local now = get (2, at, mask) and 1 or get (4, at, mask) and 2\n"
    "    or get (3, at, mask) and 3 or 0\n"
    "  local gone = now == 0 and band (byte (lost, at) or 0, mask) ~= 0\n"
    "  local there = now == 0 and elsewhere (at, mask) or 0\n"
    "  if there > 0 then\n"
    "    now = there\n"
    "  elseif gone then\n"
    "    now = 2\n"
    "    if get (1, at, mask) then\n"
    "      maps[1][at] = band (maps[1][at], 255 - mask)\n"
    "      dirty[1] = true\n"
    "    end\n"
    "  elseif not get (1, at, mask) and (book or not undecoded) then\n"
    "    set (1, at, mask)\n"
    "  end\n"
    "  local key, id, position\n"
    "  if band (flags, 1) ~= 0 then\n"
    "    local c0, c1 = byte (records, r + 25, r + 26)\n"
    "    key = ARGV[3] .. (c0 + c1 * 256)\n"
    "    id = sub (records, r + 5, r + 12)\n"
    "    position = sub (records, r + 13, r + 24)\n"
    "  end\n"
    "  if gone then\n"
    "    if book and key and outcome == 1 then win (key, id, position) end\n"
    "  elseif there > 0 then\n"
    "    now = there\n"
    "  elseif now == 0 and not book then\n"
    "    local won = key and redis.call ('HGET', key, id)\n"
    "    now = won and won ~= position and 'S' or 0\n"
    "  elseif now == 0 then\n"
    "    if key and outcome ~= 3 and not win (key, id, position) then\n"
    "      outcome = 3\n"
    "    end\n"
    "    set (map_of[outcome], at, mask)\n"
    "    now = outcome\n"
    "  elseif now == 2 and book and flags >= 2\n"
    "    and (outcome == 1 or flags >= 4) then\n"
    "    maps[4][at] = band (maps[4][at], 255 - mask)\n"
    "    dirty[4] = true\n"
    "    local own\n"
    "    if flags >= 4 then\n"
    "      own = key and redis.call ('HGET', key, id) == position\n"
    "    else\n"
    "      own = not key or win (key, id, position)\n"
    "    end\n"
    "    now = own and 1 or 3\n"
    "    set (map_of[now], at, mask)\n"
    "  end\n"
    "  out[#out + 1] = now\n"
    "end\n"
    "for m = 1, 4 do\n"
    "  if dirty[m] then\n"
    "    redis.call ('SETRANGE', KEYS[m], first, string.char (unpack "
    "(maps[m])))\n"
    "    if short[m] then redis.call ('EXPIRE', KEYS[m], ARGV[5]) end\n"
    "  end\n"
    "end\n"
    "if KEYS[7] then\n"
    "  if dirty[1] and redis.call ('SADD', KEYS[7], ARGV[7]) == 1 then\n"
    "    redis.call ('EXPIRE', KEYS[7], ARGV[5])\n"
    "    redis.call ('SADD', KEYS[6], ARGV[6])\n"
    "  end\n"
    "elseif dirty[1] and short[1] and not undecoded\n"
    "  and redis.call ('SADD', KEYS[6], ARGV[6]) == 1 then\n"
    "  redis.call ('EXPIRE', KEYS[6], ARGV[5])\n"
    "end\n"
    "return table.concat (out)\n";

static bool
same_group (const weft_booking_t *a, const weft_booking_t *b)
{
    return a->night == b->night && a->partition == b->partition &&
           a->offset >> WEFT_WINDOW_BITS == b->offset >> WEFT_WINDOW_BITS &&
           a->topic.n == b->topic.n && a->survey.n == b->survey.n &&
           memcmp (a->topic.p, b->topic.p, a->topic.n) == 0 &&
           memcmp (a->survey.p, b->survey.p, a->survey.n) == 0;
}

//  Says for each booking the number of its group; returns how many there are.
static uint32_t
find_groups (const weft_booking_t *bookings, size_t n, uint16_t *group_of)
{
    uint32_t n_groups = 0;
    uint16_t heads[WEFT_LEDGER_BATCH_MOST];
    for (size_t i = 0; i < n; i++) {
        //  Alerts of one group mostly stand together: newest group first.
        uint32_t g = n_groups;
        while (g > 0 && !same_group (&bookings[heads[g - 1]], &bookings[i]))
            g--;
        if (g == 0) {
            heads[n_groups++] = (uint16_t)i;
            g = n_groups;
        }
        group_of[i] = (uint16_t)(g - 1);
    }
    return n_groups;
}

static void
pack_record (const weft_booking_t *booking,
             weft_verdict_t verdict,
             int64_t low,
             uint8_t *at)
{
    uint32_t nth = (uint32_t)(booking->offset - low);
    uint32_t bucket = weft_seen_bucket (booking->alert_id);
    at[0] = (uint8_t)nth;
    at[1] = (uint8_t)(nth >> 8);
    at[2] = verdict.outcome;
    at[3] = verdict.flags;
    weft_put_u64 (at + 4, (uint64_t)booking->alert_id);
    weft_seen_position (booking->topic, booking->partition, booking->offset,
                        at + 12);
    at[24] = (uint8_t)bucket;
    at[25] = (uint8_t)(bucket >> 8);
}

typedef struct {
    const weft_booking_t *head;
    int64_t low, high;  //  offsets; low is that of a whole byte
    size_t size;        //  bytes of records
    uint8_t records[RECORD * WEFT_LEDGER_BATCH_MOST];
} group_t;

static void
gather (group_t *group,
        const weft_booking_t *bookings,
        const weft_verdict_t *verdicts,
        const uint16_t *group_of,
        size_t n,
        uint32_t wanted)
{
    group->head = NULL;
    group->low = group->high = 0;
    group->size = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t offset = bookings[i].offset;
        if (group_of[i] != wanted)
            continue;
        if (!group->head) {
            group->head = &bookings[i];
            group->low = group->high = offset;
        }
        group->low = WEFT_MIN (group->low, offset);
        group->high = WEFT_MAX (group->high, offset);
    }
    group->low &= ~INT64_C (7);
    for (size_t i = 0; i < n; i++)
        if (group_of[i] == wanted) {
            pack_record (&bookings[i], verdicts[i], group->low,
                         group->records + group->size);
            group->size += RECORD;
        }
}

void
weft_ledger_key (weft_batch_t *batch,
                 int32_t night,
                 size_t account,
                 const char *piece)
{
    static const char *const accounts[WEFT_ACCOUNTS] = { "received", "settled",
                                                         "duplicate", "dead" };
    if (weft_batch_spread (batch))
        weft_batch_argf (batch, "ledger:%d:{%s}:%s", night, piece,
                         accounts[account]);
    else
        weft_batch_argf (batch, "ledger:%d:%s:%s", night, accounts[account],
                         piece);
}

void
weft_ledger_piece (const weft_booking_t *booking,
                   char piece[WEFT_LEDGER_PIECE_MOST])
{
    snprintf (piece, WEFT_LEDGER_PIECE_MOST, "%.*s/%d:%lld",
              (int)booking->topic.n, booking->topic.p, booking->partition,
              (long long)(booking->offset >> WEFT_PIECE_BITS));
}

//  In a cluster: what the script does there by its last keys, as commands. Before
//  the script, so that there is no account that nobody finds.
static void
ask_indexes (weft_batch_t *batch, const weft_booking_t *head)
{
    char piece[WEFT_LEDGER_PIECE_MOST];
    weft_ledger_piece (head, piece);
    weft_batch_begin (batch, 3);
    weft_batch_str (batch, "SADD");
    weft_batch_str (batch, "ledger:nights");
    weft_batch_int (batch, head->night);
    weft_batch_begin (batch, 3);
    weft_batch_str (batch, "SADD");
    weft_batch_argf (batch, "ledger:%d:pieces", head->night);
    weft_batch_str (batch, piece);
    weft_batch_begin (batch, 3);
    weft_batch_str (batch, "EXPIRE");
    weft_batch_argf (batch, "ledger:%d:pieces", head->night);
    weft_batch_int (batch, KEEP_SECONDS);
}

static void
ask_group (weft_batch_t *batch, const group_t *group, const char *what)
{
    const weft_booking_t *head = group->head;
    bool spread = weft_batch_spread (batch);
    char piece[WEFT_LEDGER_PIECE_MOST];
    weft_ledger_piece (head, piece);
    int64_t first = (group->low & ((1 << WEFT_PIECE_BITS) - 1)) / 8;
    weft_batch_script (batch, script, WEFT_ACCOUNTS + (spread ? 2 : 3), 9);
    for (size_t i = 0; i < WEFT_ACCOUNTS; i++)
        weft_ledger_key (batch, head->night, i, piece);
    weft_ledger_key (batch, WEFT_LEDGER_NO_NIGHT, WEFT_RECEIVED, piece);
    if (spread) {
        weft_batch_argf (batch, "ledger:{%s}:nights", piece);
    } else {
        weft_batch_str (batch, "ledger:nights");
        weft_batch_argf (batch, "ledger:%d:pieces", head->night);
    }
    weft_batch_int (batch, first);
    weft_batch_int (batch, (group->high - group->low) / 8 + 1);
    weft_batch_argf (batch, "seen:%.*s:%d:", (int)head->survey.n,
                     head->survey.p, head->night);
    weft_batch_int (batch, WEFT_SEEN_SECONDS);
    weft_batch_int (batch, KEEP_SECONDS);
    weft_batch_int (batch, head->night);
    weft_batch_str (batch, piece);
    weft_batch_arg (batch, group->records, group->size);
    weft_batch_str (batch, what);
}

int
weft_ledger_check (const weft_booking_t *bookings, size_t n, bool book)
{
    if (n > WEFT_LEDGER_BATCH_MOST)
        return WEFT_ETOOBIG;
    for (size_t i = 0; i < n; i++) {
        const weft_booking_t *b = &bookings[i];
        if (b->offset < 0 || b->survey.n > SURVEY_MOST ||
            b->topic.n > WEFT_LEDGER_SOURCE_MOST - 12)
            return WEFT_ERANGE;
        if (book && (b->outcome < WEFT_BOOKED_SETTLED ||
                     b->outcome > WEFT_BOOKED_DUPLICATE))
            return WEFT_ERANGE;
    }
    return 0;
}

//  What the script is to be told of each booking: in a cluster, `seen` has been
//  asked already.
static void
judge (const weft_batch_t *batch,
       const weft_booking_t *bookings,
       size_t n,
       weft_verdict_t *verdicts)
{
    bool spread = weft_batch_spread (batch);
    for (size_t i = 0; i < n; i++) {
        bool asks = bookings[i].has_id && !spread;
        bool duplicate = bookings[i].outcome == WEFT_BOOKED_DUPLICATE;
        verdicts[i].outcome = bookings[i].outcome;
        verdicts[i].flags =
            (uint8_t)((asks ? WEFT_VERDICT_ID : 0) |
                      (bookings[i].replayed ? WEFT_VERDICT_REPLAYED : 0) |
                      (bookings[i].replayed && duplicate ? WEFT_VERDICT_LOST
                                                         : 0));
    }
}

//  Appends the groups' scripts; *first is that of the first one.
static void
ask (weft_batch_t *batch,
     const weft_booking_t *bookings,
     const weft_verdict_t *verdicts,
     size_t n,
     size_t *first,
     const char *what)
{
    uint16_t group_of[WEFT_LEDGER_BATCH_MOST];
    group_t group;
    uint32_t n_groups = find_groups (bookings, n, group_of);
    if (weft_batch_spread (batch))
        for (uint32_t g = 0, i = 0; g < n_groups; g++) {
            while (group_of[i] != g)
                i++;
            ask_indexes (batch, &bookings[i]);
        }
    *first = weft_batch_count (batch);
    for (uint32_t g = 0; g < n_groups; g++) {
        gather (&group, bookings, verdicts, group_of, n, g);
        ask_group (batch, &group, what);
    }
}

//  Deals the letters of each group's reply out to its bookings, in order;
//  *next is the reply behind the groups'.
static int
answer (const weft_batch_t *batch,
        size_t first,
        weft_booking_t *bookings,
        size_t n,
        size_t *next)
{
    uint16_t group_of[WEFT_LEDGER_BATCH_MOST];
    uint16_t dealt[WEFT_LEDGER_BATCH_MOST] = { 0 };
    *next = first + find_groups (bookings, n, group_of);
    for (size_t i = 0; i < n; i++) {
        uint16_t g = group_of[i];
        weft_bin_t letters =
            weft_reply_bytes (weft_batch_reply (batch, first + g));
        if (dealt[g] >= letters.n)
            return WEFT_EIO;
        char letter = (char)letters.p[dealt[g]++];
        bookings[i].seen = letter == 'S';
        bookings[i].booked =
            letter >= '0' && letter <= '3' ? (uint8_t)(letter - '0') : 0;
    }
    return 0;
}

int
weft_ledger_take_ask (weft_batch_t *batch,
                      const weft_booking_t *bookings,
                      size_t n,
                      size_t *first)
{
    weft_verdict_t verdicts[WEFT_LEDGER_BATCH_MOST];
    int rc = weft_ledger_check (bookings, n, false);
    if (rc)
        return rc;
    judge (batch, bookings, n, verdicts);
    ask (batch, bookings, verdicts, n, first, "take");
    if (weft_batch_spread (batch))
        weft_ledger_seen_ask (batch, bookings, n);
    return 0;
}

int
weft_ledger_take_answer (const weft_batch_t *batch,
                         size_t first,
                         weft_booking_t *bookings,
                         size_t n)
{
    size_t next;
    if (n > WEFT_LEDGER_BATCH_MOST)
        return WEFT_ETOOBIG;
    int rc = answer (batch, first, bookings, n, &next);
    if (rc == 0 && weft_batch_spread (batch))
        weft_ledger_seen_answer (batch, next, bookings, n);
    //  Nobody here would miss what somebody else has booked.
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (bookings[i].booked != WEFT_BOOKED_NONE)
            weft_batch_relied (batch);
    return rc;
}

int
weft_ledger_take (weft_batch_t *batch, weft_booking_t *bookings, size_t n)
{
    size_t first = 0;
    weft_batch_clear (batch);
    int rc = weft_ledger_take_ask (batch, bookings, n, &first);
    if (rc == 0)
        rc = weft_batch_run (batch);
    return rc ? rc : weft_ledger_take_answer (batch, first, bookings, n);
}

int
weft_ledger_book (weft_batch_t *batch, weft_booking_t *bookings, size_t n)
{
    weft_verdict_t verdicts[WEFT_LEDGER_BATCH_MOST];
    size_t first = 0, next;
    int rc = weft_ledger_check (bookings, n, true);
    if (rc)
        return rc;
    judge (batch, bookings, n, verdicts);
    if (weft_batch_spread (batch))
        rc = weft_ledger_win (batch, bookings, n, verdicts);
    if (rc)
        return rc;
    weft_batch_clear (batch);
    weft_batch_keep (batch);
    ask (batch, bookings, verdicts, n, &first, "book");
    rc = weft_batch_run (batch);
    return rc ? rc : answer (batch, first, bookings, n, &next);
}
