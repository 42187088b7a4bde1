/** A text that a parser has accepted: `Brand<string, 'IfName'>` is a string, but no bare string is one. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name }
