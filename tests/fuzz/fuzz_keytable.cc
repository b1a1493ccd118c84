/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 The Strake authors
 */

/*
 * Any bytes as the table of a group's wrapped keys. The harness sets the CRC right unless a bit says otherwise. What is
 * accepted survives another round; and a keyring opened over it refuses, or writes what the next opening reads.
 */

#include "fuzz_world.h"

extern "C" {
#include "stages/crypto/keyring.h"
#include "stages/crypto/keytable_format.h"
#include "stages/crypto/secret.h"
#include "strake_kernel.h"
}

namespace
{

Bytes note;
uint8_t *kek;

int
note_read(void *arg, void *data, uint32_t *len)
{
	*len = (uint32_t)std::min((size_t)*len, note.size());
	std::copy_n(note.begin(), *len, (uint8_t *)data);
	return 0;
}

int
note_write(void *arg, const void *data, uint32_t len)
{
	note.assign((const uint8_t *)data, (const uint8_t *)data + len);
	return 0;
}

int
no_random(void *to, size_t len)
{
	memset(to, 0x2f, len);
	return 0;
}

keyring *
open_ring()
{
	gcm_notes ops = {note_read, note_write, nullptr, KEYTABLE_BYTES_MAX, {}};
	keyring *kr = nullptr;
	char err[200] = "";
	int ret = keyring_open(&kr, kek, &ops, no_random, err, sizeof(err));

	FUZZ_CHECK(ret == 0 || (kr == nullptr && err[0] != 0 && strchr(err, '\n') == nullptr));
	return kr;
}

void
use(keyring *kr)
{
	uint8_t *key = (uint8_t *)crypto_secret_alloc(KEYRING_KEY_BYTES);
	gcm_domain domains[4];

	for (uint32_t domain = 0; domain < 4; domain++)
		keyring_subkey(kr, domain, 1, keyring_opening(kr), key);
	keyring_domains(kr, domains, 4);
	keyring_rotate(kr, 1);
	keyring_erase(kr, 2);
	keyring_oldest(kr, 3, 2);
	crypto_secret_free(key);
}

/* A sound table of a group whose UUID is all zeroes, under our key. */
void
make(uint8_t keys, uint8_t openings)
{
	note.clear();
	for (unsigned int i = 0; i <= openings % 8u; i++) {
		keyring *kr = open_ring();

		FUZZ_CHECK(kr != nullptr);
		for (uint32_t d = 0; i == 0 && d < keys % 16u; d++)
			FUZZ_CHECK(keyring_add(kr, d) == 0);
		keyring_close(kr);
	}
}

void
patch(Input &in)
{
	while (!in.empty()) {
		size_t at = in.u16() % note.size();
		Bytes b = in.bytes(1 + in.u8() % 64);

		if (!b.empty())
			memcpy(&note[at], b.data(), std::min(b.size(), note.size() - at));
	}
}

void
mend()
{
	uint32_t crc;

	memset(&note[16], 0, 4);
	crc = strake_kernel->crc32c(0, note.data(), note.size());
	memcpy(&note[16], &crc, 4);
}

} // namespace

extern "C" int
LLVMFuzzerInitialize(int *, char ***argv)
{
	fuzz_eal((*argv)[0]);
	kek = (uint8_t *)crypto_secret_alloc(KEYRING_KEY_BYTES);
	memset(kek, 0x51, KEYRING_KEY_BYTES);
	return 0;
}

extern "C" int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static keytable *const first = new keytable(), *const second = new keytable();
	Input in(data, size);
	uint8_t keys = in.u8(), openings = in.u8(), cut = in.u8();

	make(keys, openings);
	bool sum_right = !in.bit();
	patch(in);
	if (cut < 4)
		note.resize(note.size() - cut * 20u);
	if (sum_right)
		mend();

	/* A heap block of exactly its size. */
	uint8_t *exact = (uint8_t *)malloc(note.size());
	memcpy(exact, note.data(), note.size());
	int ret = keytable_decode(first, exact, note.size());
	free(exact);
	FUZZ_CHECK(ret == 0 || ret == -ENOENT || ret == -EBADMSG || ret == -EPROTO);
	if (ret == 0) {
		Bytes again(keytable_bytes(first->n_keys, first->n_openings));

		FUZZ_CHECK(first->n_keys <= KEYTABLE_KEYS && first->n_openings <= KEYTABLE_OPENINGS);
		keytable_encode(first, again.data());
		FUZZ_CHECK(keytable_decode(second, again.data(), again.size()) == 0);
		FUZZ_CHECK(memcmp(first, second, sizeof(*first)) == 0);
	}
	keyring *kr = open_ring();

	FUZZ_CHECK(kr == nullptr || ret == 0);
	if (kr != nullptr) {
		use(kr);
		keyring_close(kr);
		kr = open_ring();
		FUZZ_CHECK(kr != nullptr || keytable_decode(second, note.data(), note.size()) == 0);
		keyring_close(kr);
	}
	return 0;
}
