// An output-stationary array of 4 x 4 multiply-accumulate cells, int8 products into 16 bits that saturate at every step. Column k of A and row
// k of B come together (unskewed) with in_valid; `first` with the first k, `last` with the last. Cell (i, j) sees term k i + j cycles later.
// After the last product, 2R + C + T - 2 cycles from the first operands on in all, the sums have left through the columns, a row a cycle, the
// lowest row first. No operands are taken while sums are on their way out.
// BUG: 1 the carry between the bytes of cell (2, 1) is dropped, 2 the sums leave a cycle late, 3 column 3 is skewed a cycle too little.
module os_array #(
    parameter BUG = 0
) (
    input  logic        clk, rst, in_valid, first, last,
    input  logic [31:0] a, b,  // row or column i at bits 8 i
    output logic        out_valid,
    output logic [63:0] out    // column j at bits 16 j
);
  localparam R = 4, C = 4;
  genvar i, j;
  // Operands and their marks, {first, valid, code}, as each cell has them; 10 bits each, sums 16.
  wire [10*R*(C+1)-1:0] right;
  wire [10*(R+1)*C-1:0] down;
  wire [16*(R+1)*C-1:0] sums;
  logic [3:0] wait_drain, draining;

  generate
    for (i = 0; i < R; i = i + 1) begin : row_skew
      logic [10*R-1:0] stages;
      wire [9:0] now = {first, in_valid, a[8*i+:8]};
      always @(posedge clk) stages <= rst ? {10 * R{1'b0}} : {stages[10*R-11:0], now};
      if (i == 0) assign right[10*i*(C+1)+:10] = now;
      else assign right[10*i*(C+1)+:10] = stages[10*(i-1)+:10];
    end
    for (j = 0; j < C; j = j + 1) begin : column_skew
      localparam SKEW = (BUG == 3 && j == 3) ? j - 1 : j;
      logic [10*C-1:0] stages;
      wire [9:0] now = {first, in_valid, b[8*j+:8]};
      always @(posedge clk) stages <= rst ? {10 * C{1'b0}} : {stages[10*C-11:0], now};
      if (SKEW == 0) assign down[10*j+:10] = now;
      else assign down[10*j+:10] = stages[10*(SKEW-1)+:10];
      assign sums[16*j+:16] = 16'd0;
    end
    for (i = 0; i < R; i = i + 1) begin : row
      for (j = 0; j < C; j = j + 1) begin : cell_
        logic [9:0] a_out, b_out;
        logic [15:0] sum;
        wire [9:0] from_left = right[10*(i*(C+1)+j)+:10];
        wire [9:0] from_above = down[10*(i*C+j)+:10];
        wire signed [7:0] x = from_left[7:0];
        wire signed [7:0] y = from_above[7:0];
        wire signed [15:0] product = x * y;
        wire [15:0] old = from_left[9] ? 16'd0 : sum;
        wire [8:0] low = {1'b0, old[7:0]} + {1'b0, product[7:0]};
        wire [8:0] high = {old[15], old[15:8]} + {product[15], product[15:8]} + {8'd0, low[8] & !(BUG == 1 && i == 2 && j == 1)};
        wire [15:0] next = (high[8] == high[7]) ? {high[7:0], low[7:0]} : high[8] ? 16'h8000 : 16'h7fff;
        always @(posedge clk) begin
          a_out <= rst ? 10'd0 : from_left;
          b_out <= rst ? 10'd0 : from_above;
          if (rst) sum <= 16'd0;
          else if (draining != 4'd0) sum <= sums[16*(i*C+j)+:16];
          else if (from_left[8]) sum <= next;
        end
        assign right[10*(i*(C+1)+j+1)+:10] = a_out;
        assign down[10*((i+1)*C+j)+:10] = b_out;
        assign sums[16*((i+1)*C+j)+:16] = sum;
      end
    end
    for (j = 0; j < C; j = j + 1) begin : leave
      assign out[16*j+:16] = sums[16*(R*C+j)+:16];
    end
  endgenerate

  // The last operands reach the last cell R + C - 2 cycles later; then R cycles of drain.
  always @(posedge clk) begin
    if (rst) begin
      wait_drain <= 4'd0;
      draining <= 4'd0;
    end else begin
      if (in_valid && last) wait_drain <= (BUG == 2) ? 4'd7 : 4'd6;
      else if (wait_drain != 4'd0) wait_drain <= wait_drain - 4'd1;
      if (wait_drain == 4'd1) draining <= 4'd4;
      else if (draining != 4'd0) draining <= draining - 4'd1;
    end
  end
  assign out_valid = draining != 4'd0;
endmodule
