/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <rte_common.h>

#include "key.h"
#include "secret.h"

#define HEX_DIGITS(bytes) (2 * (bytes))
#define ROOM(bytes)	  (HEX_DIGITS(bytes) + 2) /* a line's end, and one more to know that it is too long */

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

/* What was read becomes the key of @p bytes, in place. */
static int
decode(uint8_t *text, size_t n, size_t bytes, char *why, size_t whylen)
{
	size_t hex = count_hex(text, n);

	if (n == HEX_DIGITS(bytes) + 1 && text[HEX_DIGITS(bytes)] == '\n')
		n--;
	if (n == HEX_DIGITS(bytes) && hex == n) {
		for (size_t i = 0; i < bytes; i++)
			text[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
	} else if (hex >= bytes && n <= bytes + 1) {
		snprintf(why, whylen, "%zu hex digits are half a key; expected %zu of them, or %zu bytes", bytes,
			 HEX_DIGITS(bytes), bytes);
		return -EINVAL;
	} else if (n != bytes) {
		snprintf(why, whylen, "expected a key of %zu bytes, or of %zu hex digits", bytes, HEX_DIGITS(bytes));
		return -EINVAL;
	}
	return 0;
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
read_key(int fd, const char *path, uint8_t *text, size_t bytes, char *err, size_t errlen)
{
	ssize_t n = read_all(fd, text, ROOM(bytes));
	char why[128];

	if (n < 0) {
		snprintf(err, errlen, "key file %s: %s", path, strerror((int)-n));
		return (int)n;
	}
	if (decode(text, (size_t)n, bytes, why, sizeof(why)) < 0) {
		snprintf(err, errlen, "key file %s: %s", path, why);
		return -EINVAL;
	}
	OPENSSL_cleanse(text + bytes, ROOM(bytes) - bytes);
	return 0;
}

int
crypto_key_file(uint8_t **out, const char *path, size_t bytes, char *err, size_t errlen)
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
	text = crypto_secret_alloc(ROOM(bytes));
	if (text == NULL) {
		snprintf(err, errlen, "no memory for secrets");
		ret = -ENOMEM;
		goto out_close;
	}
	ret = read_key(fd, path, text, bytes, err, errlen);
	if (ret < 0)
		crypto_secret_free(text);
	else
		*out = text;

out_close:
	close(fd);
	return ret;
}

int
crypto_key_load(uint8_t **out, const char *path, char *err, size_t errlen)
{
	uint8_t *key;
	int ret = crypto_key_file(&key, path, CRYPTO_KEY_BYTES, err, errlen);

	if (ret < 0)
		return ret;
	/* NIST SP 800-38E wants the two keys apart, and OpenSSL refuses them otherwise. */
	if (CRYPTO_memcmp(key, key + CRYPTO_KEY_BYTES / 2, CRYPTO_KEY_BYTES / 2) == 0) {
		snprintf(err, errlen, "key file %s: its two halves are equal, which makes no XTS key", path);
		crypto_secret_free(key);
		return -EINVAL;
	}
	*out = key;
	return 0;
}

/* key_serial_t is 32 bits; what follows is the kernel's own numbering (keyctl(2)). */
#define KEYCTL_READ_CALL 11

int
crypto_key_keyring(uint8_t **out, const char *description, size_t bytes, char *err, size_t errlen)
{
	long id = syscall(SYS_request_key, "user", description, NULL, 0), n;
	uint8_t *text = crypto_secret_alloc(ROOM(bytes));
	int ret = -ENOMEM;
	char why[128] = "no memory for secrets";

	if (text != NULL && id < 0) {
		ret = -errno;
		snprintf(why, sizeof(why), "%s", strerror(-ret));
	} else if (text != NULL) {
		/* It says how long the key is, whatever room it had. */
		n = syscall(SYS_keyctl, KEYCTL_READ_CALL, (int)id, text, ROOM(bytes));
		ret = n < 0 ? -errno : decode(text, RTE_MIN((size_t)n, ROOM(bytes)), bytes, why, sizeof(why));
		if (n < 0)
			snprintf(why, sizeof(why), "%s", strerror(-ret));
	}
	if (ret < 0) {
		snprintf(err, errlen, "kernel keyring, user key \"%s\": %s", description, why);
		crypto_secret_free(text);
		return ret;
	}
	OPENSSL_cleanse(text + bytes, ROOM(bytes) - bytes);
	*out = text;
	return 0;
}
