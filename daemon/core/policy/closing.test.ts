import t from 'tap'
import { closing } from '../../../cni/core/closing.ts'
import { parseAttrs, readText } from '../../../cni/core/netlink/attr.ts'
import { parseElement, splitElements } from '../../../cni/core/netlink/element.ts'
import { encodeFields } from '../../../cni/core/netlink/field.ts'
import { encodeRequest, type Request, splitReplies } from '../../../cni/core/netlink/message.ts'
import { attachment } from '../../../test/support/policy-objects.ts'
import { compile } from './compile.ts'
import type { Attached } from './objects.ts'

/** What a closed pod has in each set, as text: by the plugin without the daemon. */
const closed = (pod: Attached): string[] => closing(pod).flatMap(elementsOf).toSorted()

function elementsOf(request: Request): string[] {
  const { body } = splitReplies(encodeRequest(request, 1))[0]!
  const set = readText(parseAttrs(body.subarray(4)).get(2))
  return splitElements(body).map(bytes => {
    const { key, data, comment } = parseElement(bytes)!
    return `${set} ${key.toHex()} ${data?.kind === 'goto' ? data.chain : ''} ${comment ?? ''}`
  })
}

/** The same, as compiled for a pod that nobody knows more of. */
function compiled(pod: Attached): string[] {
  const objects = { pods: [], namespaces: [], policies: [], podCidrs: [], attached: [pod] }
  const { sets } = compile(objects, { node: 'n1', unknownPods: 'closed', log: false })
  return [...sets]
    .flatMap(([name, { elements }]) =>
      [...elements.values()].map(
        ({ key, target, comment }) => `${name} ${encodeFields(key).toHex()} ${target ?? ''} ${comment ?? ''}`,
      ),
    )
    .toSorted()
}

t.test('the plugin closes a pod as the daemon closes one that nobody knows', async t => {
  const pod = attachment('pods/c1/eth0', 'shop/db', ['10.1.0.5', 'fd00::5'])
  t.same(closed(pod), compiled(pod))
  t.equal(closed(pod).length, 10)
})
