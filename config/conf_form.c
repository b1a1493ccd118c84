/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "conf_section.h"

static bool
says(char *err, size_t errlen, const char *text, const char *what)
{
	char q[64];

	snprintf(err, errlen, "%s %s", conf_quote(text, q), what);
	return false;
}

bool
conf_form_name(const char *text, char *err, size_t errlen)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	if (!isalnum((unsigned char)text[0]) || text[strspn(text, chars)] != '\0')
		return says(err, errlen, text,
			    "is not a name; expected letters, digits, \".\", \"_\" and \"-\", a letter or digit first");
	return true;
}

bool
conf_form_ascii(const char *text, char *err, size_t errlen)
{
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
			return says(err, errlen, text, "holds characters other than ASCII");
	if (text[0] == ' ' || text[strlen(text) - 1] == ' ')
		return says(err, errlen, text, "begins or ends with a space");
	return true;
}

bool
conf_form_uuid(const char *text, char *err, size_t errlen)
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	bool zero = true, ok = strlen(text) == strlen(shape);

	for (size_t i = 0; ok && shape[i] != '\0'; i++) {
		ok = shape[i] == 'x' ? isxdigit((unsigned char)text[i]) != 0 : text[i] == '-';
		if (text[i] != '0' && text[i] != '-')
			zero = false;
	}
	if (!ok)
		return says(err, errlen, text, "is not a UUID; expected 8-4-4-4-12 hex digits");
	if (zero) /* hosts take a zero identifier for none */
		return says(err, errlen, text, "is the nil UUID, which identifies nothing");
	return true;
}

/* NVMe base 2.0, 4.5: "nqn.2014-08.org.nvmexpress:uuid:UUID", or "nqn.YYYY-MM.DOMAIN" with ":" and any text. */
bool
conf_form_nqn(const char *text, char *err, size_t errlen)
{
	static const char uuid[] = "nqn.2014-08.org.nvmexpress:uuid:", expected[] = "nqn.YYYY-MM.REVERSE.DOMAIN:NAME";
	size_t domain;
	char why[120];

	if (strncmp(text, uuid, strlen(uuid)) == 0) {
		if (conf_form_uuid(text + strlen(uuid), why, sizeof(why)))
			return true;
		return says(err, errlen, text, "does not end in a UUID of 8-4-4-4-12 hex digits");
	}
	if (strncmp(text, "nqn.", 4) != 0) {
		snprintf(why, sizeof(why), "is not an NQN; expected %s", expected);
		return says(err, errlen, text, why);
	}
	for (unsigned int i = 4; i < 12; i++)
		if (i == 8 ? text[i] != '-' : i == 11 ? text[i] != '.' : !isdigit((unsigned char)text[i])) {
			snprintf(why, sizeof(why), "has no year and month after \"nqn.\"; expected %s", expected);
			return says(err, errlen, text, why);
		}
	if (strncmp(text + 9, "01", 2) < 0 || strncmp(text + 9, "12", 2) > 0)
		return says(err, errlen, text, "names a month that is none; expected 01 to 12 after the year");
	domain = strcspn(text + 12, ":");
	for (size_t i = 0; i < domain; i++) {
		char c = text[12 + i];

		if (!isalnum((unsigned char)c) && c != '-' && c != '.')
			return says(err, errlen, text,
				    "has a domain with characters other than a-z, 0-9, \"-\" and \".\"");
	}
	if (domain == 0 || text[12] == '.' || text[11 + domain] == '.')
		return says(err, errlen, text, "has no proper domain after its date");
	if (text[12 + domain] == ':' && text[13 + domain] == '\0')
		return says(err, errlen, text, "ends in \":\" without a name");
	return true;
}

bool
conf_form_any_nqn(const char *text, char *err, size_t errlen)
{
	return strcmp(text, "any") == 0 || conf_form_nqn(text, err, errlen);
}

bool
conf_form_mac(const char *text, char *err, size_t errlen)
{
	unsigned long first = strtoul(text, NULL, 16);
	bool ok = strlen(text) == 17, zero = true;

	for (unsigned int i = 0; ok && i < 17; i++) {
		ok = i % 3 == 2 ? text[i] == ':' : isxdigit((unsigned char)text[i]) != 0;
		if (i % 3 != 2 && text[i] != '0')
			zero = false;
	}
	if (!ok)
		return says(err, errlen, text,
			    "is not a MAC address; expected six pairs of hex digits, 02:00:00:00:00:01");
	if ((first & 1) != 0)
		return says(err, errlen, text, "is a group address; a port needs one with an even first byte");
	if (zero)
		return says(err, errlen, text, "is no address");
	return true;
}

bool
conf_ip_parse(const char *text, struct conf_ip *ip)
{
	char address[INET6_ADDRSTRLEN + 1];
	const char *slash = strchr(text, '/');
	size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);

	*ip = (struct conf_ip){0};
	if (n >= sizeof(address))
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	if (inet_pton(AF_INET, address, ip->b) == 1)
		ip->family = AF_INET;
	else if (inet_pton(AF_INET6, address, ip->b) == 1)
		ip->family = AF_INET6;
	else
		return false;
	ip->prefix = ip->family == AF_INET ? 32 : 128;
	if (slash != NULL) {
		const struct conf_key key = {.type = CONF_UINT, .max = ip->prefix};
		uint64_t prefix;
		char err[120];

		if (!conf_value_parse(&key, slash + 1, &prefix, err, sizeof(err)))
			return false;
		ip->prefix = (unsigned int)prefix;
	}
	return true;
}

bool
conf_ip_same(const struct conf_ip *a, const struct conf_ip *b)
{
	return a->family == b->family && memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool
conf_ip_inside(const struct conf_ip *ip, const struct conf_ip *net)
{
	unsigned int whole = net->prefix / 8, bits = net->prefix % 8;

	if (ip->family != net->family || memcmp(ip->b, net->b, whole) != 0)
		return false;
	return bits == 0 || ((ip->b[whole] ^ net->b[whole]) >> (8 - bits)) == 0;
}

bool
conf_ip_any(const struct conf_ip *ip)
{
	static const unsigned char zero[16];

	return memcmp(ip->b, zero, sizeof(zero)) == 0;
}

static bool
is_multicast(const struct conf_ip *ip)
{
	return ip->family == AF_INET ? ip->b[0] >= 224 : ip->b[0] == 0xff;
}

bool
conf_form_address(const char *text, char *err, size_t errlen)
{
	struct conf_ip ip;

	if (strchr(text, '/') != NULL)
		return says(err, errlen, text, "has a prefix; expected the address alone, such as 10.0.0.2");
	if (!conf_ip_parse(text, &ip) && text[strspn(text, "[]0123456789abcdefABCDEF:.")] == '\0' &&
	    strpbrk(text, ":[") != NULL)
		return says(err, errlen, text,
			    "is not an IP address alone; expected one such as 10.0.0.2 or fd00::2, without brackets "
			    "or a port");
	if (!conf_ip_parse(text, &ip))
		return says(err, errlen, text, "is not an IP address; expected one such as 10.0.0.2 or fd00::2");
	if (is_multicast(&ip))
		return says(err, errlen, text, "is a group address, which no TCP can use");
	return true;
}

bool
conf_form_host(const char *text, char *err, size_t errlen)
{
	struct conf_ip ip;

	if (!conf_form_address(text, err, errlen))
		return false;
	if (!conf_ip_parse(text, &ip) || conf_ip_any(&ip))
		return says(err, errlen, text, "is not one host's address");
	return true;
}

/* Bits below the prefix: all of one kind? An IPv4 network's first and last addresses are no host's (RFC 1122). */
static bool
host_bits_are(const struct conf_ip *ip, unsigned int bit)
{
	for (unsigned int i = ip->prefix; i < 32; i++)
		if (((ip->b[i / 8] >> (7 - i % 8)) & 1u) != bit)
			return false;
	return true;
}

bool
conf_form_prefix(const char *text, char *err, size_t errlen)
{
	const char *slash = strchr(text, '/');
	struct conf_ip ip;
	char only[64];

	if (slash == NULL)
		return conf_ip_parse(text, &ip) ? says(err, errlen, text, "has no prefix; write it as in 10.0.0.2/24")
						: says(err, errlen, text, "is not an address; expected 10.0.0.2/24");
	snprintf(only, sizeof(only), "%.*s", (int)(slash - text), text);
	if (!conf_ip_parse(only, &ip))
		return says(err, errlen, text,
			    "is not an IP address with a prefix; expected 10.0.0.2/24 or fd00::2/64");
	if (!conf_ip_parse(text, &ip))
		return says(err, errlen, text,
			    ip.family == AF_INET ? "has a bad prefix; expected /0 to /32"
						 : "has a bad prefix; expected /0 to /128");
	if (is_multicast(&ip) || conf_ip_any(&ip) || (ip.family == AF_INET && ip.b[0] == 127))
		return says(err, errlen, text, "is not an address a port can have");
	if (ip.family == AF_INET && ip.prefix < 31 && (host_bits_are(&ip, 0) || host_bits_are(&ip, 1)))
		return says(err, errlen, text, "is its network's own or broadcast address, not a host's");
	return true;
}

bool
conf_form_network(const char *text, char *err, size_t errlen)
{
	char address[INET6_ADDRSTRLEN], what[120];
	struct conf_ip ip;
	bool ok = true;

	if (!conf_ip_parse(text, &ip))
		return says(err, errlen, text, "is not a network; expected 10.0.0.0/24 or fd00::/64, or one address");
	for (unsigned int i = ip.prefix; i < sizeof(ip.b) * 8; i++) {
		unsigned char bit = (unsigned char)(0x80 >> i % 8);

		ok = ok && (ip.b[i / 8] & bit) == 0;
		ip.b[i / 8] &= (unsigned char)~bit;
	}
	if (ok)
		return true;
	inet_ntop(ip.family, ip.b, address, sizeof(address));
	snprintf(what, sizeof(what), "has bits beyond its prefix; write %s/%u", address, ip.prefix);
	return says(err, errlen, text, what);
}
