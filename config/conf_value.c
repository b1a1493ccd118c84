/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "conf_value.h"

struct suffix {
	const char *word;
	uint64_t factor;
};

/* Largest first: printing takes the first that divides. */
static const struct suffix sizes[] = {
	{"TiB", 1ULL << 40}, {"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}, {NULL, 0},
};
static const struct suffix durations[] = {
	{"d", 86400000000000ULL},
	{"h", 3600000000000ULL},
	{"min", 60000000000ULL},
	{"s", 1000000000ULL},
	{"ms", 1000000ULL},
	{"us", 1000ULL},
	{NULL, 0},
};

const char *
conf_quote(const char *text, char out[64])
{
	size_t n = strlen(text);

	if (n <= 40) {
		snprintf(out, 64, "\"%s\"", text);
		return out;
	}
	/* Not in the middle of a character. */
	for (n = 40; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
		n--;
	snprintf(out, 64, "\"%.*s...\"", (int)n, text);
	return out;
}

/* Whole decimal number without sign or leading zeroes (which would look octal). @return bytes read, 0: none. */
static size_t
parse_whole(const char *text, uint64_t *num)
{
	size_t n = 0;

	*num = 0;
	for (; isdigit((unsigned char)text[n]); n++) {
		unsigned int digit = (unsigned int)(text[n] - '0');

		if (*num > (UINT64_MAX - digit) / 10)
			return 0;
		*num = *num * 10 + digit;
	}
	return n > 1 && text[0] == '0' ? 0 : n;
}

static void
print_suffixed(const struct suffix *s, uint64_t num, char out[CONF_TEXT])
{
	for (; s->word != NULL && num != 0; s++)
		if (num % s->factor == 0) {
			snprintf(out, CONF_TEXT, "%" PRIu64 "%s", num / s->factor, s->word);
			return;
		}
	snprintf(out, CONF_TEXT, "%" PRIu64, num);
}

/* What "4k", "10GB" or "1.5 GiB" was probably meant to be. */
static bool
guess_size(const char *text, char out[CONF_TEXT])
{
	uint64_t whole, frac = 0, scale = 1, factor = 0, bytes;
	size_t n = parse_whole(text, &whole);
	const char *unit;

	if (n == 0)
		return false;
	text += n;
	if (*text == '.')
		for (text++; isdigit((unsigned char)*text) && scale < 1000000; text++) {
			frac = frac * 10 + (uint64_t)(*text - '0');
			scale *= 10;
		}
	unit = text + strspn(text, " ");
	for (const struct suffix *s = sizes; s->word != NULL; s++)
		if (toupper((unsigned char)unit[0]) == s->word[0] &&
		    (unit[1] == '\0' || strcasecmp(unit + 1, "b") == 0 || strcasecmp(unit + 1, "ib") == 0 ||
		     strcasecmp(unit + 1, "i") == 0))
			factor = s->factor;
	if (strcasecmp(unit, "b") == 0 || strcasecmp(unit, "bytes") == 0)
		factor = 1;
	if (factor == 0 || whole > (UINT64_MAX >> 1) / factor || frac * factor % scale != 0)
		return false;
	bytes = whole * factor + frac * factor / scale;
	print_suffixed(sizes, bytes, out);
	return bytes != 0;
}

static bool
parse_suffixed(const struct suffix *s, bool bare, const char *text, uint64_t *num)
{
	uint64_t whole;
	size_t n = parse_whole(text, &whole);

	if (n == 0)
		return false;
	*num = whole;
	if (text[n] == '\0')
		return bare || whole == 0;
	for (; s->word != NULL; s++)
		if (strcmp(text + n, s->word) == 0) {
			if (whole > UINT64_MAX / s->factor)
				return false;
			*num = whole * s->factor;
			return true;
		}
	return false;
}

static bool
parse_size(const char *text, uint64_t *num, char *err, size_t errlen)
{
	char q[64], guess[CONF_TEXT];

	if (parse_suffixed(sizes, true, text, num))
		return true;
	if (guess_size(text, guess))
		snprintf(err, errlen, "%s is not a size; write %s", conf_quote(text, q), guess);
	else
		snprintf(err, errlen, "%s is not a size; expected a whole number of bytes, KiB, MiB, GiB or TiB",
			 conf_quote(text, q));
	return false;
}

static bool
parse_duration(const char *text, uint64_t *num, char *err, size_t errlen)
{
	char q[64];

	if (parse_suffixed(durations, false, text, num))
		return true;
	snprintf(err, errlen, "%s is not a duration; expected a whole number with us, ms, s, min, h or d, such as 5ms",
		 conf_quote(text, q));
	return false;
}

static bool
parse_uint(const char *text, uint64_t *num, char *err, size_t errlen)
{
	size_t n = parse_whole(text, num);
	char q[64];

	if (n != 0 && text[n] == '\0')
		return true;
	snprintf(err, errlen, "%s is not a whole number", conf_quote(text, q));
	return false;
}

static bool
parse_bool(const char *text, uint64_t *num, char *err, size_t errlen)
{
	static const char *const yes[] = {"yes", "on", "true", "1", "y"}, *const no[] = {"no", "off", "false", "0",
											 "n"};
	const char *meant = NULL;
	char q[64];

	*num = strcmp(text, "true") == 0;
	if (*num == 1 || strcmp(text, "false") == 0)
		return true;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (strcasecmp(text, yes[i]) == 0)
			meant = "true";
		if (strcasecmp(text, no[i]) == 0)
			meant = "false";
	}
	if (meant != NULL)
		snprintf(err, errlen, "%s is not true or false; write %s", conf_quote(text, q), meant);
	else
		snprintf(err, errlen, "%s is not true or false", conf_quote(text, q));
	return false;
}

static bool
parse_choice(const struct conf_key *key, const char *text, uint64_t *num, char *err, size_t errlen)
{
	struct conf_near near = {.word = text};
	char q[64], words[120];

	for (unsigned int i = 0; key->choices[i] != NULL; i++) {
		if (strcmp(key->choices[i], text) == 0) {
			*num = i;
			return true;
		}
		conf_near_offer(&near, key->choices[i]);
	}
	conf_value_expected(key, words, sizeof(words));
	if (near.best != NULL)
		snprintf(err, errlen, "%s is not known; did you mean \"%s\"? expected %s", conf_quote(text, q),
			 near.best, words);
	else
		snprintf(err, errlen, "%s is not known; expected %s", conf_quote(text, q), words);
	return false;
}

static bool
check_length(const struct conf_key *key, const char *text, char *err, size_t errlen)
{
	size_t len = strlen(text);

	if (len == 0 && (key->type == CONF_PATH || key->min > 0)) {
		snprintf(err, errlen, "empty; expected some text");
		return false;
	}
	if (len < key->min || (key->max != 0 && len > key->max)) {
		snprintf(err, errlen, "%zu bytes long; expected %" PRIu64 " to %" PRIu64, len, key->min, key->max);
		return false;
	}
	return true;
}

static bool
check_range(const struct conf_key *key, uint64_t num, char *err, size_t errlen)
{
	char shown[CONF_TEXT], lo[CONF_TEXT], hi[CONF_TEXT];

	conf_value_print(key, num, shown);
	conf_value_print(key, key->min, lo);
	conf_value_print(key, key->max, hi);
	if (num < key->min || (key->max != 0 && num > key->max)) {
		if (key->max != 0)
			snprintf(err, errlen, "%s is out of range; expected %s to %s", shown, lo, hi);
		else
			snprintf(err, errlen, "%s is too small; expected at least %s", shown, lo);
		return false;
	}
	if (key->power_of_two && (num & (num - 1)) != 0) {
		uint64_t below = 1ULL << (63 - __builtin_clzll(num));

		conf_value_print(key, below, lo);
		conf_value_print(key, below << 1, hi);
		snprintf(err, errlen, "%s is not a power of two; the nearest are %s and %s", shown, lo, hi);
		return false;
	}
	return true;
}

bool
conf_value_parse(const struct conf_key *key, const char *text, uint64_t *num, char *err, size_t errlen)
{
	*num = 0;
	switch (key->type) {
	case CONF_STRING:
	case CONF_PATH:
		return check_length(key, text, err, errlen);
	case CONF_BOOL:
		return parse_bool(text, num, err, errlen);
	case CONF_CHOICE:
		return parse_choice(key, text, num, err, errlen);
	case CONF_UINT:
		return parse_uint(text, num, err, errlen) && check_range(key, *num, err, errlen);
	case CONF_SIZE:
		return parse_size(text, num, err, errlen) && check_range(key, *num, err, errlen);
	case CONF_DURATION:
		return parse_duration(text, num, err, errlen) && check_range(key, *num, err, errlen);
	}
	return false;
}

void
conf_value_print(const struct conf_key *key, uint64_t num, char out[CONF_TEXT])
{
	switch (key->type) {
	case CONF_SIZE:
		print_suffixed(sizes, num, out);
		break;
	case CONF_DURATION:
		print_suffixed(durations, num, out);
		break;
	case CONF_BOOL:
		snprintf(out, CONF_TEXT, "%s", num != 0 ? "true" : "false");
		break;
	case CONF_CHOICE:
		snprintf(out, CONF_TEXT, "%s", key->choices[num]);
		break;
	default:
		snprintf(out, CONF_TEXT, "%" PRIu64, num);
		break;
	}
}

static void
expected_range(const struct conf_key *key, char *out, size_t len)
{
	char lo[CONF_TEXT], hi[CONF_TEXT];
	size_t at = strlen(out);

	conf_value_print(key, key->min, lo);
	conf_value_print(key, key->max, hi);
	if (key->max != 0)
		snprintf(out + at, len - at, ", %s to %s", lo, hi);
	else if (key->min != 0)
		snprintf(out + at, len - at, ", at least %s", lo);
	at = strlen(out);
	if (key->power_of_two)
		snprintf(out + at, len - at, ", a power of two");
}

void
conf_value_expected(const struct conf_key *key, char *out, size_t len)
{
	static const char *const names[] = {
		[CONF_STRING] = "text", [CONF_PATH] = "path",	      [CONF_UINT] = "number",
		[CONF_SIZE] = "size",	[CONF_DURATION] = "duration", [CONF_BOOL] = "true or false",
	};
	size_t at = 0;

	out[0] = '\0';
	if (key->type != CONF_CHOICE) {
		snprintf(out, len, "%s", names[key->type]);
		if (key->type == CONF_UINT || key->type == CONF_SIZE || key->type == CONF_DURATION)
			expected_range(key, out, len);
		else if (key->type == CONF_STRING && key->max != 0)
			snprintf(out, len, "text of %" PRIu64 " to %" PRIu64 " bytes", key->min, key->max);
		return;
	}
	for (unsigned int i = 0; key->choices[i] != NULL && at < len - 1; i++) {
		snprintf(out + at, len - at, "%s%s",
			 i == 0			       ? ""
			 : key->choices[i + 1] != NULL ? ", "
						       : " or ",
			 key->choices[i]);
		at = strlen(out);
	}
}
