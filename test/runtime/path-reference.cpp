// What libstdc++ makes of paths: reads pairs of lines, prints their parts. path-reference.txt was made with it (GCC 12):
// a line a pair, fields between tabs, elements ended by |. Paths of two separators and nothing else are left out: libstdc++
// keeps both of them.
#include <filesystem>
#include <iostream>
#include <string>
namespace fs = std::filesystem;
int main() {
  std::string a, b;
  while (std::getline(std::cin, a) && std::getline(std::cin, b)) {
    fs::path p(a), q(b);
    auto out = [](const fs::path &x) { std::cout << x.string() << '\x01'; };
    out(p.root_name()); out(p.root_directory()); out(p.root_path()); out(p.relative_path()); out(p.parent_path());
    out(p.filename()); out(p.stem()); out(p.extension()); out(p.lexically_normal()); out(p.lexically_relative(q)); out(p.lexically_proximate(q));
    out(p / q); { fs::path r = p; out(r.remove_filename()); } { fs::path r = p; out(r.replace_filename(q)); } { fs::path r = p; out(r.replace_extension(q)); }
    int c = p.compare(q); std::cout << (c < 0 ? -1 : c > 0) << '\x01' << p.is_absolute() << '\x01';
    for (auto &e : p) std::cout << e.string() << '\x02';
    std::cout << '\n';
  }
}
