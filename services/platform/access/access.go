// Package access reads the access option of every RPC from the contracts.
package access

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	accessv1 "github.com/zijlicht/zijlicht/proto/zijlicht/access/v1"
)

// health is the one RPC without a contract of ours. It says whether the process serves, and nothing else.
const health = "/grpc.health.v1.Health/Check"

// Of gives the access option of an operation such as
// "/zijlicht.cases.v1.CasesService/GetCase". It fails for an RPC that is not
// known or has no class: such an RPC is refused.
func Of(operation string) (*accessv1.Access, error) {
	if operation == health {
		return &accessv1.Access{Class: accessv1.Class_CLASS_PUBLIC}, nil
	}
	m, err := method(operation)
	if err != nil {
		return nil, err
	}
	a, ok := proto.GetExtension(m.Options(), accessv1.E_Access).(*accessv1.Access)
	if !ok || a.GetClass() == accessv1.Class_CLASS_UNSPECIFIED {
		return nil, fmt.Errorf("rpc %s has no access class", operation)
	}
	return a, nil
}

func method(operation string) (protoreflect.MethodDescriptor, error) {
	if len(operation) == 0 || operation[0] != '/' {
		return nil, fmt.Errorf("operation %q is not an rpc", operation)
	}
	for i := len(operation) - 1; i > 0; i-- {
		if operation[i] != '/' {
			continue
		}
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(operation[1:i]))
		if err != nil {
			return nil, err
		}
		s, ok := d.(protoreflect.ServiceDescriptor)
		if !ok {
			return nil, fmt.Errorf("%s is not a service", operation[1:i])
		}
		m := s.Methods().ByName(protoreflect.Name(operation[i+1:]))
		if m == nil {
			return nil, fmt.Errorf("rpc %s does not exist", operation)
		}
		return m, nil
	}
	return nil, fmt.Errorf("operation %q is not an rpc", operation)
}

// Methods gives the operation name of every RPC of the registered services in package zijlicht.
func Methods() []string {
	var all []string
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if len(f.Package()) < 9 || f.Package()[:9] != "zijlicht." {
			return true
		}
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				all = append(all, fmt.Sprintf("/%s/%s", s.FullName(), s.Methods().Get(j).Name()))
			}
		}
		return true
	})
	return all
}
