# SPDX-License-Identifier: MIT
"""The hash of format/layout.h and format/metrics.h, apart from the library's own."""


def siphash13(key, message):
    mask = 2**64 - 1
    v = [key[0] ^ 0x736F6D6570736575, key[1] ^ 0x646F72616E646F6D,
         key[0] ^ 0x6C7967656E657261, key[1] ^ 0x7465646279746573]

    def rotate(word, bits):
        return (word << bits | word >> 64 - bits) & mask

    def rounds(count):
        for _ in range(count):
            v[0], v[2] = v[0] + v[1] & mask, v[2] + v[3] & mask
            v[1], v[3], v[0] = rotate(v[1], 13) ^ v[0], rotate(v[3], 16) ^ v[2], rotate(v[0], 32)
            v[2], v[0] = v[2] + v[1] & mask, v[0] + v[3] & mask
            v[1], v[3], v[2] = rotate(v[1], 17) ^ v[2], rotate(v[3], 21) ^ v[0], rotate(v[2], 32)

    message += bytes(-(len(message) + 1) % 8) + bytes([len(message) & 255])
    for place in range(0, len(message), 8):
        word = int.from_bytes(message[place:place + 8], "little")
        v[3] ^= word
        rounds(1)
        v[0] ^= word
    v[2] ^= 255
    rounds(3)
    return v[0] ^ v[1] ^ v[2] ^ v[3]
