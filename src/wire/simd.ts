// XOR with a repeated key of four bytes, 16 bytes at a time, as a WebAssembly function: assembled by hand, for 60 instructions
// need no compiler. Node has had WebAssembly SIMD since version 16.

/** As much of it as is used here; the types of Node 20 do not have it. */
declare const WebAssembly:
  | {
      validate(code: Uint8Array): boolean;
      Module: new (code: Uint8Array) => object;
      Instance: new (module: object) => { exports: { m: { buffer: ArrayBuffer }; x: Simd['xor'] } };
    }
  | undefined;

/** LEB128 of a number that is not negative. */
function leb(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; ) {
    const byte = rest & 127;
    rest >>>= 7;
    if (rest === 0) return [...bytes, byte];
    bytes.push(byte | 128);
  }
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...leb(content.length), ...content];
}

/** `\0asm` and the version of the format. */
const MAGIC = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const PAGE = 65_536;
const [I32, V128] = [0x7f, 0x7b];
// Parameters: 0 target, 1 source, 2 length, 3 key. Locals: 4 key in all lanes, 5 OR of the results, 6 one result; 7 end of the source.
const XOR = [
  [2, 3, V128, 1, I32],
  [0x20, 3, 0xfd, 0x11, 0x21, 4], // 4 = i32x4.splat(key)
  [0x20, 1, 0x20, 2, 0x6a, 0x21, 7], // 7 = source + length
  [0x02, 0x40], // block
  [0x20, 1, 0x20, 7, 0x4f, 0x0d, 0], //   br_if source >= 7
  [0x03, 0x40], //   loop
  [0x20, 0], //     target
  [0x20, 1, 0xfd, 0x00, 0, 0], //     v128.load(source)
  [0x20, 4, 0xfd, 0x51, 0x22, 6], //     6 = … ^ 4
  [0xfd, 0x0b, 0, 0], //     v128.store
  [0x20, 5, 0x20, 6, 0xfd, 0x50, 0x21, 5], //     5 |= 6
  [0x20, 0, 0x41, 16, 0x6a, 0x21, 0], //     target += 16
  [0x20, 1, 0x41, 16, 0x6a, 0x22, 1], //     source += 16
  [0x20, 7, 0x49, 0x0d, 0], //     br_if source < 7
  [0x0b, 0x0b], //   end, end
  [0x20, 5, 0xfd, 0x64], // i8x16.bitmask(5)
  [0x0b],
].flat();

/** The function and the memory that it works in. */
export interface Simd {
  readonly memory: ArrayBuffer;
  /**
   * XORs `length` bytes, a multiple of 16, of the memory from `source` on with `key`, as little-endian memory holds it.
   * @returns 0 if no resulting byte has its top bit set.
   */
  xor(target: number, source: number, length: number, key: number): number;
}

/** @returns null where there is no WebAssembly with SIMD: an old processor, or `--jitless`. */
export function makeSimd(bytes: number): Simd | null {
  const pages = Math.ceil(bytes / PAGE);
  const code = new Uint8Array([
    ...MAGIC,
    ...section(1, [1, 0x60, 4, I32, I32, I32, I32, 1, I32]), // the type of the function
    ...section(3, [1, 0]),
    ...section(5, [1, 1, ...leb(pages), ...leb(pages)]), // memory that never grows: its ArrayBuffer stays the same
    ...section(7, [2, 1, 0x6d, 2, 0, 1, 0x78, 0, 0]), // exports: m, the memory, and x, the function
    ...section(10, [1, ...leb(XOR.length), ...XOR]),
  ]);
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(code)) return null;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code));
  return { memory: exports.m.buffer, xor: exports.x };
}
