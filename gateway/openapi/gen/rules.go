package main

import (
	"fmt"
	"slices"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// constrainAll writes what the contract demands of each field of a message into its schema.
func constrainAll(schema object, m protoreflect.MessageDescriptor) error {
	properties, _ := schema["properties"].(object)
	var required []string
	for name, p := range properties {
		demanded, err := constrain(p.(object), name, m)
		if err != nil {
			return err
		}
		if demanded {
			required = append(required, name)
		}
	}
	if len(required) > 0 {
		slices.Sort(required)
		schema["required"] = required
	}
	return nil
}

// constrain writes the rules of one field into its schema. A field whose empty value breaks its own rules is demanded.
func constrain(schema object, jsonName string, m protoreflect.MessageDescriptor) (demanded bool, err error) {
	field := m.Fields().ByJSONName(jsonName)
	if field == nil {
		return false, fmt.Errorf("%s has no field %s", m.FullName(), jsonName)
	}
	rules, err := protovalidate.ResolveFieldRules(field)
	if err != nil || rules == nil {
		return false, err
	}
	demanded = rules.GetRequired()
	if s := rules.GetString(); s != nil {
		if s.GetMinLen() > 0 {
			schema["minLength"] = s.GetMinLen()
			demanded = true
		}
		if s.GetMaxLen() > 0 {
			schema["maxLength"] = s.GetMaxLen()
		}
		if len(s.GetIn()) > 0 {
			schema["enum"] = s.GetIn()
			demanded = demanded || !slices.Contains(s.GetIn(), "")
		}
		if s.GetUuid() {
			schema["format"] = "uuid"
			demanded = true
		}
	}
	if n := rules.GetInt32(); n != nil {
		schema["minimum"] = n.GetGte()
		if n.GetLte() > 0 {
			schema["maximum"] = n.GetLte()
		}
	}
	if n := rules.GetUint32(); n != nil {
		schema["minimum"] = n.GetGte()
		demanded = demanded || n.GetGte() > 0
	}
	if r := rules.GetRepeated(); r != nil {
		if r.GetMinItems() > 0 {
			schema["minItems"] = r.GetMinItems()
			demanded = true
		}
		if r.GetMaxItems() > 0 {
			schema["maxItems"] = r.GetMaxItems()
		}
	}
	return demanded, nil
}
