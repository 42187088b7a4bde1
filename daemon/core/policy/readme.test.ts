import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { matchesGolden } from '../../../test/support/golden.ts'
import { lockedAttachment, pod } from '../../../test/support/policy-objects.ts'
import { Compiler } from './compile.ts'
import { difference } from './difference.ts'
import { parseNetworkPolicy } from './network-policy.ts'
import { parseNamespace, parsePod } from './objects.ts'
import { loadScript, updateScript } from './script.ts'

const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8')
const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, 'gm'))].map(([, text]) => text!)

function take(compiler: Compiler, object: { readonly kind: string }): void {
  if (object.kind === 'Pod') compiler.setPod(parsePod(object))
  else if (object.kind === 'Namespace') compiler.setNamespace(parseNamespace(object))
  else compiler.setPolicy(parseNetworkPolicy(object))
}

t.test('the example in README.md comes to what is said there', async t => {
  const compiler = new Compiler({ node: 'n1', unknownPods: 'closed', log: false })
  const before = compiler.compile()
  for (const document of parseAllDocuments(blocks('yaml')[0]!))
    take(compiler, document.toJS() as { kind: string })
  const after = compiler.compile()
  const [rules, element] = blocks('nft')
  t.equal(updateScript(after, difference(before, after)), rules)
  compiler.setPod(pod('shop/web-2', ['10.244.2.10'], { app: 'web' }, { spec: { nodeName: 'n2' } }))
  const then = compiler.compile()
  t.equal(updateScript(then, difference(after, then)), element)
  const wired = lockedAttachment('0a:1d:a2:81:32:06', 'podwire/c1/eth0', 'shop/db', ['10.244.1.6'])
  compiler.attach({ ...wired, uid: '' })
  matchesGolden(t, 'policy.nft', loadScript(compiler.compile(), { chains: [], maps: [], sets: [] }))
})
