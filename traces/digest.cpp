// SHA-256 by OpenSSL, block by block.
#include "traces/digest.h"

#include <openssl/evp.h>

#include <array>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <vector>

#include "formats/error.h"

namespace accsim::traces {
namespace {

constexpr std::size_t block_bytes = std::size_t{1} << 20;

void expect_success(int result) {
  if (result != 1) throw std::runtime_error("OpenSSL cannot compute SHA-256");
}

std::string hexadecimal(const unsigned char* bytes, std::size_t count) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += digits[bytes[i] >> 4];
    text += digits[bytes[i] & 15];
  }
  return text;
}

}  // namespace

std::string sha256_of_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path)) throw InputError(path.string(), "cannot be read", "a file");
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  expect_success(EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr));
  std::vector<char> block(block_bytes);
  while (file) {
    file.read(block.data(), static_cast<std::streamsize>(block.size()));
    expect_success(EVP_DigestUpdate(context.get(), block.data(), static_cast<std::size_t>(file.gcount())));
  }
  if (file.bad()) throw InputError(path.string(), "cannot be read", "a file");
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  expect_success(EVP_DigestFinal_ex(context.get(), digest.data(), &size));
  return hexadecimal(digest.data(), size);
}

std::string sha256_of_text(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  expect_success(EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr));
  return hexadecimal(digest.data(), size);
}

}  // namespace accsim::traces
