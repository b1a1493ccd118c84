/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "key.h"
#include "secret.h"

#define HEX_DIGITS (2 * CRYPTO_KEY_BYTES)
#define ROOM	   (HEX_DIGITS + 2) /* a line's end, and one more to know that it is too long */

static int
check_file(int fd, const char *path, char *err, size_t errlen)
{
	struct stat st;

	if (fstat(fd, &st) != 0) {
		int ret = -errno;

		snprintf(err, errlen, "key file %s: %s", path, strerror(-ret));
		return ret;
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(err, errlen, "key file %s: not a regular file", path);
		return -EINVAL;
	}
	if (st.st_uid != geteuid()) {
		snprintf(err, errlen, "key file %s: belongs to user %u, but this process is user %u", path,
			 (unsigned int)st.st_uid, (unsigned int)geteuid());
		return -EACCES;
	}
	if ((st.st_mode & 07777 & ~0600u) != 0) {
		snprintf(err, errlen, "key file %s: mode is %04o; only its owner may read it (chmod 600)", path,
			 (unsigned int)(st.st_mode & 07777));
		return -EACCES;
	}
	return 0;
}

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

static size_t
count_hex(const uint8_t *text, size_t n)
{
	size_t i = 0;

	while (i < n && hex_digit(text[i]) >= 0)
		i++;
	return i;
}

/* What was read becomes the key, in place. */
static const char *
decode(uint8_t *text, size_t n)
{
	size_t hex = count_hex(text, n);

	if (n == HEX_DIGITS + 1 && text[HEX_DIGITS] == '\n')
		n--;
	if (n == HEX_DIGITS && hex == n) {
		for (size_t i = 0; i < CRYPTO_KEY_BYTES; i++)
			text[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
	} else if (hex >= CRYPTO_KEY_BYTES && n <= CRYPTO_KEY_BYTES + 1) {
		return "64 hex digits are half a key; expected 128 of them, or 64 bytes";
	} else if (n != CRYPTO_KEY_BYTES) {
		return "expected a key of 64 bytes, or of 128 hex digits";
	}
	/* NIST SP 800-38E wants the two keys apart, and OpenSSL refuses them otherwise. */
	if (CRYPTO_memcmp(text, text + CRYPTO_KEY_BYTES / 2, CRYPTO_KEY_BYTES / 2) == 0)
		return "its two halves are equal, which makes no XTS key";
	return NULL;
}

static ssize_t
read_all(int fd, uint8_t *to, size_t room)
{
	size_t n = 0;

	while (n < room) {
		ssize_t got = read(fd, to + n, room - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static int
read_key(int fd, const char *path, uint8_t *text, char *err, size_t errlen)
{
	ssize_t n = read_all(fd, text, ROOM);
	const char *why;

	if (n < 0) {
		snprintf(err, errlen, "key file %s: %s", path, strerror((int)-n));
		return (int)n;
	}
	why = decode(text, (size_t)n);
	if (why != NULL) {
		snprintf(err, errlen, "key file %s: %s", path, why);
		return -EINVAL;
	}
	OPENSSL_cleanse(text + CRYPTO_KEY_BYTES, ROOM - CRYPTO_KEY_BYTES);
	return 0;
}

int
crypto_key_load(uint8_t **out, const char *path, char *err, size_t errlen)
{
	/* Non-blocking, so that a pipe in the place of the file cannot stop us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), ret;
	uint8_t *text;

	if (fd < 0) {
		ret = -errno;
		snprintf(err, errlen, "key file %s: %s", path, strerror(-ret));
		return ret;
	}
	ret = check_file(fd, path, err, errlen);
	if (ret < 0)
		goto out_close;
	text = crypto_secret_alloc(ROOM);
	if (text == NULL) {
		snprintf(err, errlen, "no memory for secrets");
		ret = -ENOMEM;
		goto out_close;
	}
	ret = read_key(fd, path, text, err, errlen);
	if (ret < 0)
		crypto_secret_free(text);
	else
		*out = text;

out_close:
	close(fd);
	return ret;
}
