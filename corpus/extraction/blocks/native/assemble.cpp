#include "assemble.hpp"

#include <algorithm>
#include <string_view>

namespace gristmill {
namespace {

// A table with more words a cell than this, on average, lays out a page.
constexpr int MAX_CELL_WORDS = 40;
// Quotes and lists within each other that are shown; every line repeats their marks.
constexpr std::size_t MAX_CONTAINERS = 8;

// What assembling wants to know of tables; one pass over the elements.
struct Tables {
  struct Facts {
    int rows = 0, widest = 0, cells = 0;
    bool layout = false;  // has tables, code or headings in it
  };
  std::vector<int> table, row;  // of each element the innermost one it is in, or -1
  std::vector<int> facts_of;
  std::vector<Facts> facts;

  explicit Tables(const Page& page) {
    const auto& nodes = page.nodes;
    table.assign(nodes.size(), -1);
    row.assign(nodes.size(), -1);
    facts_of.assign(nodes.size(), -1);
    std::vector<int> cells_of(nodes.size(), 0);
    for (std::size_t i = 1; i < nodes.size(); i++) {
      const int parent = nodes[i].parent;
      const auto self = static_cast<int>(i);
      table[i] = table[parent];
      row[i] = row[parent];
      switch (nodes[i].tag) {
        case TAG_TABLE:
          if (table[i] >= 0) of(table[i]).layout = true;
          facts_of[i] = static_cast<int>(facts.size());
          facts.emplace_back();
          table[i] = self;
          row[i] = -1;
          break;
        case TAG_TR:
          if (table[i] < 0) break;
          of(table[i]).rows++;
          row[i] = self;
          break;
        case TAG_TD:
        case TAG_TH: {
          if (table[i] < 0 || row[i] < 0) break;
          Facts& known = of(table[i]);
          known.cells++;
          known.widest = std::max(known.widest, ++cells_of[row[i]]);
          break;
        }
        case TAG_PRE:
          if (table[i] >= 0) of(table[i]).layout = true;
          break;
        default:
          break;
      }
    }
  }
  Facts& of(int node) { return facts[facts_of[node]]; }
  // Whether a table holds data: rows and columns of short cells.
  bool is_data(const Page& page, int node) {
    const Facts& known = of(node);
    return !known.layout && known.rows >= 2 && known.widest >= 2 && page.nodes[node].heading_blocks == 0 &&
           page.nodes[node].words <= MAX_CELL_WORDS * known.cells;
  }
};

class Assembler {
 public:
  Assembler(const Page& page, const u8* keep, Format format)
      : page_(page), keep_(keep), markdown_(format == Format::MARKDOWN), marked_(page.nodes.size(), 0) {}

  std::string run() {
    const auto n = static_cast<int>(page_.blocks.size());
    bool any_table = false;
    std::size_t size = 0;
    for (int i = 0; i < n; i++) {
      if (!keep_[i]) continue;
      any_table |= (page_.blocks[i].flags & FLAG_TABLE) != 0;
      size += page_.blocks[i].end - page_.blocks[i].begin + 4;
    }
    out_.reserve(size + size / 8);
    if (any_table) tables_.emplace_back(page_);
    for (int i = 0; i < n;) {
      if (!keep_[i]) i++;
      else if (const int table = data_table(i); table >= 0) i = write_table(i, table);
      else write(i++);
    }
    return std::move(out_);
  }

 private:
  std::string_view text(u32 begin, u32 end) const { return std::string_view(page_.text).substr(begin, end - begin); }
  std::string_view text(const Block& block) const { return text(block.begin, block.end); }

  int data_table(int i) {
    if (tables_.empty() || !(page_.blocks[i].flags & FLAG_TABLE)) return -1;
    const int table = tables_[0].table[page_.blocks[i].node];
    return table >= 0 && tables_[0].is_data(page_, table) ? table : -1;
  }

  // ---- quotes and lists around a block ---------------------------------------------------------------------

  // Elements that give lines a prefix, outermost first: quotes, and list items whose mark has been written or
  // that the block is right inside. Items with headings in them are parts of a page, not of a list.
  void containers(int node) {
    path_.clear();
    bool innermost = true;
    for (int a = node; a > 0; a = page_.nodes[a].parent) {
      const Node& one = page_.nodes[a];
      if (one.quote_depth == 0 && one.list_depth == 0) break;
      if (one.tag == TAG_BLOCKQUOTE) {
        path_.push_back(a);
      } else if (one.tag == TAG_LI && one.list_depth && one.heading_blocks == 0) {
        if (innermost || marked_[a]) path_.push_back(a);
        innermost = false;
      }
    }
    std::reverse(path_.begin(), path_.end());
    if (path_.size() > MAX_CONTAINERS) path_.resize(MAX_CONTAINERS);
  }
  std::string mark(int item) const {
    const Node& node = page_.nodes[item];
    if (page_.nodes[node.parent].tag == TAG_OL) return std::to_string(node.ordinal) + ". ";
    return "- ";
  }
  // The prefix of a line inside of the first `count` containers, where their marks have been written.
  std::string prefix(const std::vector<int>& path, std::size_t count) const {
    std::string line;
    for (std::size_t k = 0; k < count; k++) {
      if (page_.nodes[path[k]].tag == TAG_BLOCKQUOTE) line += "> ";
      else line.append(mark(path[k]).size(), ' ');
    }
    return line;
  }
  static std::size_t trailing_spaces(const std::string& line) {
    return line.size() - (line.find_last_not_of(' ') + 1);
  }

  // Starts a block inside of `node`: writes what is between it and the one before, and its first line's prefix.
  void begin(int node, bool definition) {
    containers(node);
    std::size_t common = 0;
    while (common < path_.size() && common < last_path_.size() && path_[common] == last_path_[common]) common++;
    bool new_item = false;
    std::string first;
    for (std::size_t k = 0; k < path_.size(); k++) {
      if (page_.nodes[path_[k]].tag == TAG_BLOCKQUOTE) {
        first += "> ";
      } else if (marked_[path_[k]]) {
        first.append(mark(path_[k]).size(), ' ');
      } else {
        first += mark(path_[k]);
        marked_[path_[k]] = 1;
        new_item = true;
      }
    }
    rest_ = prefix(path_, path_.size());
    if (!out_.empty()) {
      const bool tight = definition || (new_item && same_list());
      out_ += '\n';
      if (!tight) {
        std::string blank = markdown_ ? prefix(last_path_, common) : "";
        blank.resize(blank.size() - trailing_spaces(blank));
        out_ += blank;
        out_ += '\n';
      }
    }
    if (markdown_) out_ += first;
    last_path_ = path_;
  }
  // Whether the item that begins belongs to a list that the block before is in, or lies in one of its items.
  bool same_list() const {
    const int item = path_.back();  // the one that is new
    return std::any_of(last_path_.begin(), last_path_.end(), [&](int before) {
      const bool is_item = page_.nodes[before].tag == TAG_LI;
      return is_item && (page_.nodes[before].parent == page_.nodes[item].parent ||
                         std::find(path_.begin(), path_.end(), before) != path_.end());
    });
  }
  // Writes text whose further lines get the prefix.
  void lines(std::string_view content) {
    for (std::size_t start = 0;;) {
      const std::size_t stop = content.find('\n', start);
      out_ += content.substr(start, stop == std::string_view::npos ? stop : stop - start);
      if (stop == std::string_view::npos) return;
      start = stop + 1;
      new_line(start == content.size() || content[start] == '\n');
    }
  }
  void new_line(bool empty = false) {
    out_ += '\n';
    if (!markdown_) return;
    out_ += rest_;
    if (empty) out_.resize(out_.size() - trailing_spaces(rest_));
  }
  // On one line.
  void flat(std::string_view content, std::string& out) const {
    for (char c : content) out += c == '\n' || c == '\t' ? ' ' : c;
  }

  // ---- blocks ------------------------------------------------------------------------------------------------

  void write(int i) {
    const Block& block = page_.blocks[i];
    const Node& node = page_.nodes[block.node];
    const bool definition = node.tag == TAG_DD && (last_tag_ == TAG_DT || last_tag_ == TAG_DD);
    begin(block.node, definition);
    last_tag_ = node.tag;
    if (block.flags & FLAG_PRE) {
      code(block);
    } else if (node.heading) {
      if (markdown_) out_.append(node.heading, '#') += ' ';
      flat(text(block), out_);
    } else {
      if (markdown_ && definition) {
        out_ += ": ";
        rest_ += "  ";
      }
      lines(text(block));
    }
  }

  void code(const Block& block) {
    const std::string_view source = text(block);
    if (!markdown_) return lines(source);
    // The fence is longer than any run of back-ticks inside.
    std::size_t longest = 0, run = 0;
    for (char c : source) {
      run = c == '`' ? run + 1 : 0;
      longest = std::max(longest, run);
    }
    const std::string fence(std::max<std::size_t>(3, longest + 1), '`');
    out_ += fence;
    for (int a = block.node; a > 0; a = page_.nodes[a].parent) {
      if (page_.nodes[a].language < 0) continue;
      out_ += page_.languages[page_.nodes[a].language];
      break;
    }
    new_line();
    lines(source);
    new_line();
    out_ += fence;
  }

  // ---- tables ------------------------------------------------------------------------------------------------

  struct Cell {
    std::string text;
    int columns = 1, rows = 1;
  };
  struct Row {
    std::vector<Cell> cells;
    bool kept = false;
  };

  // Writes the table that block i is in, all its kept blocks; returns the first block after it.
  int write_table(int i, int table) {
    const Tables& tables = tables_[0];
    const auto n = static_cast<int>(page_.blocks.size());
    int stop = i;
    while (stop < n && tables.table[page_.blocks[stop].node] == table) stop++;
    std::vector<Row> rows;
    std::vector<std::pair<int, int>> places;  // of each element of the table: its row, its cell
    int last = table;
    for (; last < static_cast<int>(page_.nodes.size()) && (last == table || page_.nodes[last].parent >= table); last++) {
      const Node& node = page_.nodes[last];
      std::pair<int, int> place = last == table ? std::pair{-1, -1} : places[node.parent - table];
      if (node.tag == TAG_TR) {
        place = {static_cast<int>(rows.size()), -1};
        rows.emplace_back();
      } else if (is_cell(node.tag) && place.first >= 0) {
        auto& cells = rows[place.first].cells;
        place.second = static_cast<int>(cells.size());
        cells.push_back({"", node.columns, node.rows});
      }
      places.push_back(place);
    }
    for (int k = i; k < stop; k++) {
      if (!keep_[k]) continue;
      const auto [row, cell] = places[page_.blocks[k].node - table];
      if (cell < 0) {  // a caption, or text between the rows
        write(k);
      } else {
        rows[row].kept = true;
        add(rows[row].cells[cell].text, text(page_.blocks[k]));
      }
    }
    int first = i;
    while (first > 0 && tables.table[page_.blocks[first - 1].node] == table) first--;
    auto scrap = std::lower_bound(page_.scraps.begin(), page_.scraps.end(), first,
                                  [](const Scrap& one, int block) { return one.after < block; });
    for (; scrap != page_.scraps.end() && scrap->after <= stop; ++scrap) {
      if (scrap->node < table || scrap->node >= last) continue;
      const auto [row, cell] = places[scrap->node - table];
      if (cell >= 0 && rows[row].kept) add(rows[row].cells[cell].text, text(scrap->begin, scrap->end));
    }
    write_rows(rows, table);
    return stop;
  }
  void add(std::string& cell, std::string_view content) const {
    if (!cell.empty()) cell += ' ';
    flat(content, cell);
  }

  void write_rows(const std::vector<Row>& rows, int table) {
    // Cells to columns: one that spans columns leaves the others empty, one that spans rows keeps its place free.
    std::vector<std::vector<const std::string*>> grid;
    std::vector<int> taken;  // for how many rows a column is still taken
    std::vector<u8> used;
    static const std::string nothing;
    for (const Row& row : rows) {
      std::vector<const std::string*> line;
      auto skip_taken = [&] {
        while (line.size() < taken.size() && taken[line.size()] > 0) {
          taken[line.size()]--;
          line.push_back(&nothing);
        }
      };
      for (const Cell& cell : row.cells) {
        skip_taken();
        for (int k = 0; k < cell.columns; k++) {
          const std::size_t column = line.size();
          if (taken.size() <= column) taken.resize(column + 1, 0);
          taken[column] = cell.rows - 1;
          line.push_back(k ? &nothing : &cell.text);
        }
      }
      skip_taken();
      if (!row.kept) continue;
      while (!line.empty() && line.back()->empty()) line.pop_back();
      if (used.size() < line.size()) used.resize(line.size(), 0);
      for (std::size_t k = 0; k < line.size(); k++) used[k] |= !line[k]->empty();
      grid.push_back(std::move(line));
    }
    if (grid.empty()) return;
    begin(table, false);
    last_tag_ = TAG_TABLE;
    const auto columns = std::count(used.begin(), used.end(), 1);
    for (std::size_t r = 0; r < grid.size(); r++) {
      if (r) new_line();
      if (r == 1 && markdown_) {
        out_ += '|';
        for (std::ptrdiff_t k = 0; k < columns; k++) out_ += "---|";
        new_line();
      }
      // The head has all columns, or it is no table; other rows end with their last text.
      if (!r && markdown_) grid[r].resize(used.size(), &nothing);
      bool first = true;
      for (std::size_t k = 0; k < grid[r].size(); k++) {
        if (!used[k]) continue;
        if (!markdown_ && !first) out_ += '\t';
        if (markdown_) out_ += first ? "| " : " | ";
        first = false;
        for (char c : *grid[r][k]) {
          if (c == '|' && markdown_) out_ += '\\';
          out_ += c;
        }
      }
      if (markdown_) out_ += " |";
    }
  }

  const Page& page_;
  const u8* keep_;
  const bool markdown_;
  std::vector<Tables> tables_;  // none or one: most pages need none
  std::vector<u8> marked_;      // list items whose mark has been written
  std::vector<int> path_, last_path_;
  std::string rest_;            // the prefix of a block's further lines
  std::string out_;
  Tag last_tag_ = TAG_UNKNOWN;
};

}  // namespace

std::string assemble(const Page& page, const u8* keep, Format format) { return Assembler(page, keep, format).run(); }

}  // namespace gristmill
