/** What a row of the option table can say, and the types of the values that follow from it. */
interface Base {
  readonly key: string;
  /** One or two sentences for --help and for the comment in websock.ini. */
  readonly help: string;
}

/** `path`: of a file or folder. `secret`: never shown, never taken from the command line. */
interface TextShape {
  readonly type: 'string' | 'path' | 'secret';
  readonly default: string;
  /** It cannot be left empty. */
  readonly required?: true;
  /** Of a secret: the key beside it that names a file to read it from. */
  readonly fileKey?: string;
}

interface BooleanShape {
  readonly type: 'boolean';
  readonly default: boolean;
}

/** `size`: bytes, `64KiB` accepted. `seconds`: decimals accepted. */
interface NumberShape {
  readonly type: 'integer' | 'size' | 'seconds';
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** What an integer counts. */
  readonly unit?: string;
  /** 0 is accepted too, and means this. */
  readonly zero?: string;
}

/** One of a few. */
interface EnumShape {
  readonly type: 'enum';
  readonly default: string | number;
  readonly values: readonly (string | number)[];
  /** It cannot be left out. */
  readonly required?: true;
}

/** Comma separated. `values`: the only items accepted; `items`: addresses (`::1`) and ranges (`10.0.0.0/8`) are. */
interface ListShape {
  readonly type: 'list';
  readonly default: readonly string[];
  readonly values?: readonly string[];
  readonly items?: 'range';
  /** It cannot be left out. */
  readonly required?: true;
}

/** What one value may be. */
export type Shape = Base & Kind;
type Kind = TextShape | BooleanShape | NumberShape | EnumShape | ListShape;

export type Details = Kind & {
  /** Whether a reload may change it while clients are connected. */
  readonly reloadable: boolean;
  /** Other spellings of the key. */
  readonly aliases?: readonly string[];
};

/** One row. `section` is the `[section]` of websock.ini; '' is the top level, before the first section. */
export type Option = Base & Details & { readonly section: string };

/** One kind of repeated section, `[section.NAME]`, set in websock.ini only. */
export interface Repeated {
  readonly section: string;
  readonly help: string;
  readonly keys: readonly (Shape & { readonly example: string })[];
}

/** What one option, or one key of a repeated section, can hold. */
export type Value = string | number | boolean | string[];

/** What TypeScript knows of the value of one row. */
type ValueOf<R> = R extends { type: 'boolean' }
  ? boolean
  : R extends { type: 'integer' | 'size' | 'seconds' }
    ? number
    : R extends { type: 'list' }
      ? string[]
      : R extends { type: 'enum'; values: readonly (infer V)[] }
        ? V
        : string;

/** The values of some rows, by key. */
export type ValuesOf<R extends { key: string }> = { [K in R['key']]: ValueOf<Extract<R, { key: K }>> };
